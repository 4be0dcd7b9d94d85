"""What the use cases need of the world."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from intelligence_service.domain.insight import LeadFacts
from intelligence_service.domain.model import Model
from intelligence_service.domain.watch import LeadChange


class Order(Enum):
    """The order of a list of leads: two with the best first, and one for going through all of them."""

    SCORE = "score"
    LAST_EVENT_TIME = "last_event_time"
    LEAD_ID = "lead_id"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of leads, and the token of the next one; it is empty on the last page."""

    leads: Sequence[LeadFacts]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of leads beside what costs nothing; `attributes` are names, None stands for all."""

    recent_events: bool = True
    contributions: bool = True
    fit: bool = True
    attributes: frozenset[str] | None = None


EVERYTHING = Wanted()


class ScoreReader(Protocol):
    """Knows the score of every lead, live or as it was at a time."""

    async def one(self, lead_id: str, as_of_time: datetime | None) -> LeadFacts:
        """Returns what is known of a lead.

        Raises:
            LeadNotFound: None of its events was scored (by that time).
        """

    async def batch(
        self, lead_ids: Sequence[str], as_of_time: datetime | None, wanted: Wanted = EVERYTHING
    ) -> list[LeadFacts]:
        """Returns what is known of those of at most 500 leads that have a score, in the order given.

        What is not wanted is left out: 0 recent events, no contributions, no fit, fewer attributes.
        """

    async def page(self, order: Order, stage: str, page_size: int, page_token: str) -> Page:
        """Returns a page of the leads in a stage, or of all when it is empty.

        Raises:
            InvalidArgument: There is no such stage.
            InvalidPageToken: The token is none of this order and stage.
        """


class Models(Protocol):
    """Knows every version of the scoring model."""

    async def in_force(self) -> Model:
        """Returns the model that judges now."""

    async def version(self, version: int) -> Model:
        """Returns a version of the model; the same one whenever it is asked for."""


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """A place in the stream of changes, and the change that it lies behind; None while nothing happens.

    Tokens sort as the places do.
    """

    token: str
    change: LeadChange | None = None


class LeadChanges(Protocol):
    """The committed changes of all leads, in the order in which they were committed."""

    def after(self, token: str) -> AsyncGenerator[StreamPosition, None]:
        """Yields a place at once, then one behind each change, and one now and then while there are none.

        They are those from now on, or those behind a token if it is not empty.

        Raises:
            ResumeTokenExpired: What came after the token is no longer known.
            InvalidArgument: It is no token.
        """
