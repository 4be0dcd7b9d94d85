"""Leaks: event types that may be a part of the outcome, and so must not be learnt from."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from cli.learning.histories import Seen
from shared.outcomes import Decision

WITHIN = timedelta(minutes=10)
"""An event that the outcome follows so soon may be a part of it."""
SHARE = 0.9
MIN_EVENTS = 20


class Leak(NamedTuple):
    """An event type whose events are nearly always followed by the outcome of their lead at once."""

    event_type: str
    events: int
    followed: int


@dataclass(slots=True)
class LeakCounter:
    """Counts, by type, the events before the outcome of their lead, and those that it follows within `WITHIN`."""

    events: Counter[str] = field(default_factory=Counter)
    followed: Counter[str] = field(default_factory=Counter)

    def add(self, events: Sequence[Seen], decision: Decision | None) -> None:
        """Counts the events of a lead that came before its outcome, or all if it has none."""
        for each in events:
            if decision is not None and each.time >= decision.time:
                return
            self.events[each.event_type] += 1
            if decision is not None and decision.time - each.time <= WITHIN:
                self.followed[each.event_type] += 1

    def leaks(self) -> Iterator[Leak]:
        """Yields the types that leak, most events first."""
        for event_type, count in self.events.most_common():
            if count >= MIN_EVENTS and self.followed[event_type] >= SHARE * count:
                yield Leak(event_type, count, self.followed[event_type])
