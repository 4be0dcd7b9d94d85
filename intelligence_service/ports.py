"""The interfaces through which the use cases read scores, models and changes."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from intelligence_service.domain.insight import Hypothesis, LeadFacts, ScoreEffect
from intelligence_service.domain.model import Model
from intelligence_service.domain.summary import Grouping, LeadGroup
from intelligence_service.domain.watch import LeadChange


class Order(Enum):
    """The order of a list of leads; the best come first."""

    SCORE = "score"
    LAST_EVENT_TIME = "last_event_time"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of leads, and the token of the next page, which is empty on the last page."""

    leads: Sequence[LeadFacts]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class ScorePreview:
    """The facts of a lead, what each of some events would do to it, and what an event of each rule would do."""

    facts: LeadFacts
    events: Sequence[ScoreEffect]
    rules: Sequence[ScoreEffect]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The costly parts that a caller wants; `attributes` is a set of names, or None for all of them."""

    recent_events: bool = True
    contributions: bool = True
    fit: bool = True
    attributes: frozenset[str] | None = None
    thresholds: bool = True


EVERYTHING = Wanted()


class ScoreReader(Protocol):
    """Reads the scores of leads, now or as of an earlier time."""

    async def one(self, lead_id: str, as_of_time: datetime | None) -> LeadFacts:
        """Returns the facts of a lead.

        Raises:
            LeadNotFound: None of its events has been scored, or none by that time.
        """

    async def batch(
        self, lead_ids: Sequence[str], as_of_time: datetime | None, wanted: Wanted = EVERYTHING
    ) -> list[LeadFacts]:
        """Returns the facts of at most 500 leads, in the given order and without the leads that have no score.

        Fields that are not wanted stay empty: 0 recent events, no contributions, no fit, fewer attributes.
        """

    async def preview(self, lead_id: str, events: Sequence[Hypothesis]) -> ScorePreview:
        """Returns what at most 100 events that happen now, one after the other, would do to a lead.

        Raises:
            LeadNotFound: None of its events has been scored.
            InvalidArgument: There are more events, or a type is malformed.
        """

    async def page(self, order: Order, stage: str, page_size: int, page_token: str) -> Page:
        """Returns a page of the leads in a stage, or of all leads if `stage` is empty.

        Raises:
            InvalidArgument: The stage does not exist.
            InvalidPageToken: The token is invalid, or belongs to another order or stage.
        """

    async def groups(self, grouping: Grouping) -> tuple[Sequence[LeadGroup], datetime]:
        """Returns all leads in groups, and the time that these are valid for."""


class Models(Protocol):
    """Reads versions of the scoring model."""

    async def in_force(self) -> Model:
        """Returns the current model."""

    async def version(self, version: int) -> Model:
        """Returns a version of the model; a version never changes."""


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """A position in the stream of changes, and the change just before it; None if nothing has happened.

    Tokens sort in the order of the stream.
    """

    token: str
    change: LeadChange | None = None


class LeadChanges(Protocol):
    """Reads the committed changes of all leads, in the order of their commits."""

    def after(self, token: str) -> AsyncGenerator[StreamPosition, None]:
        """Yields a position at once, then one for each change, and one from time to time while there are no changes.

        Starts after the token, or now if the token is empty.

        Raises:
            ResumeTokenExpired: The changes after the token are no longer available.
            InvalidArgument: The token is malformed.
        """
