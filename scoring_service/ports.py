"""What the use cases need of the world. Both ports are implemented by `store.py`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Protocol, TypeVar

from scoring_service.domain.history import Entry, Lead, Recorded
from scoring_service.domain.model import Event, ResolvedEvent, ScoringModel
from shared.pages import Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that wait, per lead, and each lead's partition. `rows` is the store's own handle, to mark them with."""

    events: Mapping[str, Sequence[Event]]
    partitions: Mapping[str, int]
    rows: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Commit:
    """What a transaction adds to the history of some leads."""

    recorded: Sequence[Recorded]
    model_version: int
    record_time: datetime
    date_bucket: str


class Scores(Protocol):
    """The writing side. All but `transact` is called inside it."""

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` as one transaction, again from its start on a conflict."""

    async def waiting(self, partitions: Sequence[int], most: int) -> Batch:
        """Returns the oldest events that wait in some partitions."""

    async def mark(self, batch: Batch) -> None:
        """Marks the events of a batch as scored."""

    async def model_in_force(self) -> ScoringModel:
        """Returns the model that judges now."""

    async def begin(self, partitions: Iterable[int], through: date | None = None) -> dict[int, date | None]:
        """Takes partitions for this transaction, so that no other one commits to them meanwhile.

        Returns the dates through which they are decayed, after moving those on to `through` that lie before.
        """

    async def leads(self, lead_ids: Iterable[str]) -> dict[str, Lead]:
        """Returns the leads that exist, by id."""

    async def quiet_leads(self, partition: int, quiet_since: datetime, through: date, most: int) -> list[Lead]:
        """Returns leads of a partition for which ticks up to a date may matter, at most `most`.

        They have points and no event after `quiet_since`, or ticks are owed.
        """

    async def past(self, lead_ids: Sequence[str]) -> dict[str, list[ResolvedEvent]]:
        """Returns the recorded events of leads, each lead's in the order of their positions."""

    async def append(self, commit: Commit) -> set[int]:
        """Appends entries, stores the leads' states and puts their changes into automation's inbox.

        Returns the partitions of that inbox that have work now.
        """

    async def replace(self, lead: Lead, model_version: int) -> None:
        """Stores a lead's state, and nothing else."""


class LeadOrder(Enum):
    """The order of a list of leads; equal ones follow by lead id."""

    SCORE = "score"
    LAST_EVENT_TIME = "last_event_time"
    LEAD_ID = "lead_id"


ANY_SCORE = -(2**62)
"""Lower than every score."""


@dataclass(frozen=True, slots=True)
class LeadQuery:
    """Which leads to list. `after` is the place of the last lead of the page before: its order key and its id."""

    order: LeadOrder
    most: int
    minimum_score: int = ANY_SCORE
    below_score: int | None = None
    after: Place = ()


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """A history entry with the time of its recording."""

    entry: Entry
    record_time: datetime


class Views(Protocol):
    """The reading side."""

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Lets every read inside see one point in time."""

    async def model_in_force(self) -> ScoringModel:
        """Returns the model that judges now."""

    async def model(self, version: int) -> ScoringModel | None:
        """Returns a version of the model, None when there is no such version."""

    async def leads(self, lead_ids: Iterable[str]) -> dict[str, Lead]:
        """Returns the leads that exist, by id."""

    async def list_leads(self, query: LeadQuery) -> list[Lead]:
        """Returns a page of leads."""

    async def entries(self, lead_id: str, *, after: Place, most: int, newest_first: bool) -> list[RecordedEntry]:
        """Returns a page of a lead's history, from beyond the place of a sequence on."""

    async def past(self, lead_ids: Sequence[str]) -> dict[str, list[ResolvedEvent]]:
        """Returns the recorded events of leads, each lead's in the order of their positions."""

    async def recent_events(self, lead_ids: Sequence[str], after: datetime, until: datetime) -> dict[str, int]:
        """Returns the numbers of events with a time in (after, until], for those leads that have some."""

    async def decayed_through(self, lead_id: str) -> date | None:
        """Returns the date through which the lead's partition is decayed."""

    async def backlog(self) -> tuple[int, datetime | None]:
        """Returns how many events wait to be scored, and when the oldest was put."""

    async def count_leads(self) -> int:
        """Returns the number of leads."""

    async def count_quiet_leads(self, quiet_since: datetime, through: date) -> int:
        """Returns how many leads `Scores.quiet_leads` would return over all partitions."""

    def quiet_leads(self, quiet_since: datetime, through: date) -> AsyncIterator[Lead]:
        """Yields the leads that `Scores.quiet_leads` would return over all partitions."""

    async def whole_histories(self, lead_ids: Sequence[str]) -> dict[str, list[Entry]]:
        """Returns the histories of leads in the order of the sequence."""

    async def scored_events(self, event_ids: Sequence[str]) -> dict[str, dict[str, Event]]:
        """Returns, per lead, those of the events that are stored as scored, by id."""

    async def count_scored(self) -> tuple[int, int]:
        """Returns the number of events stored as scored and the number of EVENT entries, at one point in time."""


class Bell(Protocol):
    """Lets automation know that there is work."""

    def ring(self, partitions: Iterable[int]) -> None:
        """Rings for these partitions; never waits, never fails."""
