"""What the use cases need of the world. `store/` implements all of it but the bell."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeVar

from scoring_service.domain.history import Entry, Lead, Recorded
from scoring_service.domain.inspection import Stored
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.timeline import Publication, Timeline
from shared.pages import Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that wait, per lead, and each lead's partition. `rows` is the store's own handle, to mark them with."""

    events: Mapping[str, Sequence[Event]]
    partitions: Mapping[str, int]
    rows: Sequence[Any]


class Partition(NamedTuple):
    """Where a partition stands: the date through which it is decayed, and the last publication that it follows."""

    through: date | None
    publication: int


@dataclass(frozen=True, slots=True)
class Commit:
    """What a transaction adds to the history of some leads."""

    recorded: Sequence[Recorded]
    record_time: datetime
    date_bucket: str


class Scores(Protocol):
    """The writing side. All but `transact` and `partition_of` is called inside `transact`."""

    def partition_of(self, lead_id: str) -> int:
        """Returns the partition of a lead."""

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` as one transaction, again from its start on a conflict."""

    async def waiting(self, partitions: Sequence[int], most: int, ids: Sequence[str] | None = None) -> Batch:
        """Returns the oldest events that wait in some partitions: those among `ids`, or all that never failed alone."""

    async def mark(self, batch: Batch) -> None:
        """Marks the events of a batch as scored."""

    async def begin(self, partitions: Iterable[int], through: date | None = None) -> dict[int, Partition]:
        """Takes partitions for this transaction, so that no other one commits to them meanwhile.

        Returns where they stand, after moving the dates on to `through` that lie before.
        """

    async def timeline(self, publication: int) -> Timeline:
        """Returns the timeline up to a publication."""

    async def leads(self, lead_ids: Iterable[str]) -> dict[str, Lead]:
        """Returns the leads that exist, by id."""

    async def quiet_leads(self, partition: int, quiet_since: datetime, through: date) -> list[str]:
        """Returns the ids of the leads of a partition for which ticks up to a date may matter.

        They have points and no event after `quiet_since`, or ticks are owed.
        """

    async def stale_leads(self, partition: int, timeline: Timeline) -> list[str]:
        """Returns the ids of the leads of a partition that the last publication may change and has not reached."""

    async def entries(self, lead_ids: Sequence[str]) -> dict[str, list[Entry]]:
        """Returns what happened to leads: their entries but for DECAY and MODEL, in no particular order."""

    async def entry(self, event_id: str) -> tuple[str, Entry] | None:
        """Returns an entry by its id, with its lead's id; None when there is none."""

    async def is_waiting(self, event_id: str) -> bool:
        """Tells whether an event waits to be scored, or is parked."""

    async def append(self, commit: Commit) -> set[int]:
        """Appends entries, stores the leads' states and puts their changes into automation's inbox.

        Returns the partitions of that inbox that have work now.
        """

    async def replace(self, lead: Lead) -> None:
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


class Backlog(NamedTuple):
    """How many events wait to be scored, when the oldest of them was put, and how many more are parked."""

    pending: int
    oldest_put_time: datetime | None
    parked: int


class Views(Protocol):
    """The reading side."""

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Lets every read inside see one point in time."""

    async def timeline(self) -> Timeline:
        """Returns the timeline up to the last publication."""

    async def leads(self, lead_ids: Iterable[str], attributes: Collection[str] | None = None) -> dict[str, Lead]:
        """Returns the leads that exist, by id, with those of some attributes that they have, or with all."""

    async def list_leads(self, query: LeadQuery) -> list[Lead]:
        """Returns a page of leads."""

    async def history(self, lead_id: str, *, after: Place, most: int, newest_first: bool) -> list[Entry]:
        """Returns a page of a lead's history, from beyond the place of a sequence on."""

    async def entries(self, lead_ids: Sequence[str]) -> dict[str, list[Entry]]:
        """Returns what happened to leads: their entries but for DECAY and MODEL, in no particular order."""

    async def recent_events(self, lead_ids: Sequence[str], after: datetime, until: datetime) -> dict[str, int]:
        """Returns the numbers of events with a time in (after, until], for those leads that have some.

        Those that were retracted by `until` do not count.
        """

    async def decayed_through(self, lead_ids: Sequence[str]) -> dict[str, date | None]:
        """Returns the dates through which the leads' partitions are decayed, by lead."""

    async def backlog(self) -> Backlog:
        """Returns what waits to be scored."""

    async def count_leads(self) -> int:
        """Returns the number of leads."""

    async def count_quiet_leads(self, quiet_since: datetime, through: date) -> int:
        """Returns how many leads `Scores.quiet_leads` would return over all partitions."""

    def quiet_leads(self, quiet_since: datetime, through: date) -> AsyncIterator[Lead]:
        """Yields the leads whose ids `Scores.quiet_leads` would return over all partitions."""

    async def count_stale_leads(self, timeline: Timeline) -> int:
        """Returns how many leads `Scores.stale_leads` would return over all partitions."""

    async def stored(self, after: str, most_leads: int, most_entries: int) -> list[Stored]:
        """Returns all that is stored of the next leads by id, of those with a row and those with a history.

        They are at most `most_leads` with a row, and have at most `most_entries` entries together unless it is one lead
        that has more. None means that there are no more leads.
        """

    async def whole_history(self, lead_id: str) -> list[Entry]:
        """Returns the history of a lead in the order of the sequence."""

    async def scored_events(self, event_ids: Sequence[str]) -> dict[str, dict[str, Event]]:
        """Returns, per lead, those of the events that are stored as scored, by id."""

    async def count_scored(self) -> tuple[int, int]:
        """Returns the number of events stored as scored and the number of EVENT entries, at one point in time."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A version of the model, and when it was stored."""

    model: ScoringModel
    create_time: datetime


class Models(Protocol):
    """Keeps the versions of the model and their publications. Neither ever changes."""

    async def create(self, model: Callable[[int], ScoringModel], create_time: datetime) -> StoredModel:
        """Stores a model under the next version, with which it is called, and returns it."""

    async def get(self, version: int) -> StoredModel:
        """Returns a version.

        Raises:
            ModelNotFound: There is no such version.
        """

    async def page(self, after: Place, most: int) -> list[StoredModel]:
        """Returns versions from beyond a place on, newest first."""

    async def publications(self) -> list[Publication]:
        """Returns all publications, oldest first; there is at least one."""

    async def publish(self, publication: Publication) -> bool:
        """Stores a publication; tells whether its number was free."""

    async def switch(self, publication: Publication) -> None:
        """Lets every partition follow a publication, as far as it does not follow a later one."""

    async def rolled_out(self, publication: Publication) -> None:
        """Notes that a publication, and so all before it, has reached every lead."""

    async def unfinished(self) -> Publication | None:
        """Returns the last publication unless it has reached every lead."""


class Bell(Protocol):
    """Lets automation know that there is work."""

    def ring(self, partitions: Iterable[int]) -> None:
        """Rings for these partitions; never waits, never fails."""
