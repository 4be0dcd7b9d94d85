"""What became of a lead: whether it converted after its score was taken, and when that cannot be told.

A judge that counts leads whose outcome was already known, or is not known yet, flatters the score.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import NamedTuple

DEFAULT_LANDMARK = timedelta(days=7)


class Outcome(Enum):
    """What became of a lead after the landmark. Only leads that converted or did not are judged."""

    CONVERTED = "converted"
    NOT_CONVERTED = "not converted"
    DECIDED_BEFORE = "decided before"
    """It had converted or was lost by the landmark: there was nothing left to predict."""
    CENSORED = "censored"
    """It was not observed for long enough: it can still convert."""


class Decision(NamedTuple):
    """An event that decides what becomes of a lead."""

    event_type: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """What a score should predict, and when.

    Attributes:
        conversions: The event types that mean that a lead has converted.
        losses: The event types that mean that it never will.
        landmarks: How long after the first event of a lead its score is taken; each is judged by itself.
        horizon: How long after the landmark a conversion counts. None: forever; then a lead without an outcome is
            censored if there are `losses`, and has not converted if there are none.
        train_before: Leads with an earlier first event are left out, because a model may have been fitted to them.
        as_known: Whether what was recorded after the landmark does not count, even if it had happened before it.
    """

    conversions: frozenset[str]
    losses: frozenset[str]
    landmarks: tuple[timedelta, ...]
    horizon: timedelta | None
    train_before: datetime | None
    as_known: bool = False

    def decision(self, events: Iterable[tuple[str, datetime]]) -> Decision | None:
        """Returns the first of a lead's events, in the order of their times, that decides what becomes of it."""
        deciding = self.conversions | self.losses
        return next((Decision(event_type, time) for event_type, time in events if event_type in deciding), None)

    def outcome(self, decision: Decision | None, landmark: datetime, observed_until: datetime) -> Outcome:
        """Returns what became of a lead after a landmark, from the event that decided it.

        `observed_until` is the time of the last event of all leads; what happens later is unknown.
        """
        if decision is not None and decision.time < landmark:
            return Outcome.DECIDED_BEFORE
        end = None if self.horizon is None else landmark + self.horizon
        if decision is not None and (end is None or decision.time < end):
            return Outcome.CONVERTED if decision.event_type in self.conversions else Outcome.NOT_CONVERTED
        if end is None:
            end = datetime.max.replace(tzinfo=UTC) if self.losses else landmark
        return Outcome.NOT_CONVERTED if end <= observed_until else Outcome.CENSORED
