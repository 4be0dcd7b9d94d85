"""What the use cases need of the world. `store/` implements all of it but the bell."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeVar

from scoring_service.domain.entry import Entry
from scoring_service.domain.lead import Decision, Lead, LeadUpdate, Standing
from scoring_service.domain.lead_state import LeadState
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.timeline import Adjustment, Position, Publication, Timeline
from scoring_service.domain.verification import Stored
from shared.inbox.breaker import StoppedDrain
from shared.inbox.collection import PartitionBacklog
from shared.rpc.pagination import Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that wait, per lead, and each lead's partition. `rows` are the store's own handles, per lead.

    `is_full` tells that more may wait: the reading stopped at a limit.
    """

    events: Mapping[str, Sequence[Event]]
    partitions: Mapping[str, int]
    rows: Mapping[str, Sequence[Any]]
    is_full: bool

    @property
    def count(self) -> int:
        """The number of events."""
        return sum(map(len, self.events.values()))


@dataclass(frozen=True, slots=True)
class AppendBatch:
    """What a transaction adds to the histories of some leads. `rows` are those of the events that it scores."""

    updates: Sequence[LeadUpdate]
    record_time: datetime
    date_bucket: str
    rows: Sequence[Any] = ()


class FactReader(Protocol):
    """What has happened to leads. Every read belongs to the transaction or the snapshot that it is called in."""

    async def facts_of(
        self, lead_ids: Sequence[str], *, as_of: datetime | None = None
    ) -> dict[str, list[Event | Adjustment]]:
        """Returns what happened to some leads, see `facts`, in no particular order."""

    def facts(
        self, lead_id: str, *, after: Position | None = None, as_of: datetime | None = None
    ) -> AsyncGenerator[list[Event | Adjustment], None]:
        """Yields what happened to a lead after a position, in pieces, in the order of the positions.

        Without what was retracted; with `as_of` only what had happened, and had been retracted, by then.
        """

    async def checkpoint(self, lead_id: str, before: Position, max_facts: int | None) -> LeadState:
        """Returns the last checkpoint before a position with at most so many facts; `EMPTY` where there is none."""

    async def checkpoints_after(self, lead_id: str, fact_count: int) -> list[LeadState]:
        """Returns the checkpoints of a lead with more facts than this, in order."""


class LeadWriter(Protocol):
    """The writing side. Its methods are called inside `transact`, unless they say otherwise."""

    def partition_of(self, lead_id: str) -> int:
        """Returns the partition of a lead; may be called anywhere."""

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` as one transaction, again from its start on a conflict."""

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Lets every read inside see one point in time; to be used outside of `transact`."""

    async def database_time(self) -> datetime:
        """Returns the time by the database's own clock; may be called anywhere."""

    async def waiting(
        self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None, exclude: Collection[str]
    ) -> Batch:
        """Returns the oldest events that wait in some partitions: those among `ids`, or all that never failed alone.

        Events of the leads `exclude` are left out.
        """

    async def waiting_of(self, lead_id: str, limit: int, ids: Sequence[str] | None) -> Batch:
        """Returns the oldest events of a lead that wait; may be called anywhere."""

    async def still_waiting(self, rows: Sequence[Any]) -> bool:
        """Tells whether none of these events has been scored since it was read."""

    async def take(self, partitions: Iterable[int]) -> dict[int, Standing]:
        """Takes partitions for this transaction, so that no other one commits to them meanwhile.

        Returns where they stand.
        """

    async def take_lead(self, lead_id: str) -> Standing:
        """Takes one lead for this transaction, and not its partition: others may commit to that meanwhile.

        Nobody moves the partition's date or publication while the transaction runs. Returns where it stands.
        """

    async def take_page(self, partition: int) -> Standing:
        """Takes a partition for a page of a decay run or a rollout; drains may commit to its other leads meanwhile.

        Nobody moves the partition's date or publication while the transaction runs. Returns where it stands.
        """

    async def standing(self, partition: int) -> Standing:
        """Returns where a partition stands, without taking it; may be called anywhere."""

    async def move_decay(self, partition: int, through: date) -> Standing:
        """Takes a partition and moves its date on, if that lies before; returns where it stands then."""

    async def set_decay_back(self, partition: int, to: date, decision: Decision) -> bool:
        """Takes a partition and sets its date back; tells whether it was beyond."""

    async def timeline(self, publication: int) -> Timeline:
        """Returns the timeline up to a publication.

        Raises:
            EngineMismatch: The publication was made by a program whose fold has other rules.
        """

    async def leads(self, lead_ids: Iterable[str]) -> dict[str, Lead]:
        """Returns the leads that exist, by id."""

    async def quiet_leads(self, partition: int, quiet_since: datetime, through: date) -> list[str]:
        """Returns the ids of the leads of a partition for which ticks up to a date may matter.

        They have points and no event after `quiet_since`, or their ticks were deferred.
        """

    async def leads_decayed_beyond(self, partition: int, day: date) -> list[str]:
        """Returns the ids of the leads of a partition to which ticks after a date were applied."""

    async def stale_leads(self, partition: int, timeline: Timeline) -> list[str]:
        """Returns the ids of the leads of a partition that the last publication may change and has not reached."""

    async def entry(self, event_id: str) -> tuple[str, Entry] | None:
        """Returns an entry by its id, with its lead's id, None when there is none; may be called anywhere."""

    async def is_waiting(self, event_id: str) -> bool:
        """Tells whether an event waits to be scored and is not parked."""

    async def discard(self, event_id: str, reason: str, actor: str, time: datetime) -> str | None:
        """Discards a parked event, unless it was discarded before.

        Returns its lead's id; None when it is neither parked nor discarded.
        """

    async def append(self, commit: AppendBatch) -> set[int]:
        """Stores entries, states and checkpoints, marks events as scored, and puts changes into automation's inbox.

        Returns the partitions of that inbox that have work now.
        """

    async def replace(self, lead: Lead, checkpoints: Sequence[LeadState]) -> None:
        """Stores a lead's state and all of its checkpoints, and nothing else."""


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
    limit: int
    minimum_score: int = ANY_SCORE
    below_score: int | None = None
    after: Place = ()


class UnscoredEvents(NamedTuple):
    """How many events wait to be scored, and how many more are parked or discarded."""

    pending: int
    parked: int
    discarded: int


class LeadReader(Protocol):
    """The reading side."""

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Lets every read inside see one point in time."""

    async def timeline(self) -> Timeline:
        """Returns the timeline up to the last publication."""

    async def leads(self, lead_ids: Iterable[str], attributes: Collection[str] | None = None) -> dict[str, Lead]:
        """Returns the leads that exist, by id, with those of some attributes that they have, or with all."""

    async def list_leads(self, query: LeadQuery) -> list[Lead]:
        """Returns a page of leads."""

    async def history(self, lead_id: str, *, after: Place, limit: int, newest_first: bool) -> list[Entry]:
        """Returns a page of a lead's history, from beyond the place of a sequence on."""

    async def known_at(self, lead_ids: Sequence[str], time: datetime) -> set[str]:
        """Returns those of the leads to which something had happened by a time, be it retracted since or not."""

    async def retracted_since(self, lead_ids: Sequence[str], time: datetime) -> set[str]:
        """Returns those of the leads of which an event was retracted after a time."""

    async def recent_events(self, lead_ids: Sequence[str], after: datetime, until: datetime) -> dict[str, int]:
        """Returns the numbers of events with a time in (after, until], for those leads that have some.

        Those that were retracted by `until` do not count.
        """

    async def decayed_through(self, lead_ids: Sequence[str]) -> dict[str, date | None]:
        """Returns the dates through which the leads' partitions are decayed, by lead."""

    async def count_leads(self) -> int:
        """Returns the number of leads."""

    async def count_quiet_leads(self, quiet_since: datetime, through: date) -> int:
        """Returns how many leads `Scores.quiet_leads` would return over all partitions."""

    def quiet_leads(self, quiet_since: datetime, through: date) -> AsyncIterator[Lead]:
        """Yields the leads whose ids `Scores.quiet_leads` would return over all partitions."""

    async def count_stale_leads(self, timeline: Timeline) -> int:
        """Returns how many leads `Scores.stale_leads` would return over all partitions."""

    async def count_decayed_beyond(self, day: date) -> int:
        """Returns how many leads `Scores.leads_decayed_beyond` would return over all partitions."""

    async def stored(self, after: str, max_leads: int, max_entries: int) -> list[Stored]:
        """Returns all that is stored of the next leads by id, of those with a row and those with a history.

        They are at most `max_leads` with a row and have at most `max_entries` entries together; a lead that alone has
        more comes by itself and without its entries. An empty list means that there are no more leads.
        """

    def whole_history(self, lead_id: str) -> AsyncGenerator[list[Entry], None]:
        """Yields the history of a lead in the order of the sequence, in pieces."""

    async def checkpoints_of(self, lead_ids: Sequence[str]) -> dict[str, dict[int, LeadState]]:
        """Returns the checkpoints of leads, by lead and by their number of facts."""

    async def scored_events(self, event_ids: Sequence[str]) -> dict[str, dict[str, Event]]:
        """Returns, per lead, those of the events that are stored as scored, by id."""

    async def count_unscored(self) -> UnscoredEvents:
        """Returns the numbers of events that are not scored, at one point in time."""

    async def count_scored(self) -> tuple[int, int]:
        """Returns the number of events stored as scored and the number of EVENT entries, at one point in time."""


class Backlogs(Protocol):
    """Tells what waits to be scored. Its methods are called inside `snapshot`."""

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Lets every read inside see one point in time."""

    async def pending(self) -> Mapping[int, PartitionBacklog]:
        """Returns what waits in each partition in which some events wait."""

    async def heaviest_leads(self, partitions: Sequence[int], limit: int) -> list[tuple[str, int]]:
        """Returns the leads with the most events that wait in some partitions, and how many, most first.

        They are those of samples of each partition's oldest events.
        """

    async def isolated(self) -> Mapping[int, int]:
        """Returns how many events that wait are tried alone, by the attempts made."""

    async def parked(self) -> int:
        """Returns the number of parked events."""

    async def discarded(self) -> int:
        """Returns the number of discarded events."""

    async def stopped(self) -> StoppedDrain | None:
        """Returns why a worker has stopped to score events, if one has."""

    async def decay_dates(self) -> tuple[date | None, date | None]:
        """Returns the earliest and the latest date of the partitions; None stands for never, before every date."""


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

    async def page(self, after: Place, limit: int) -> list[StoredModel]:
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
