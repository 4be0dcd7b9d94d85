"""Writes leads: one transaction appends entries, stores states, marks events, and reports changes to automation."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Any, TypeVar

from pymongo import DeleteMany

from scoring_service.domain.decay import Due
from scoring_service.domain.entry import Entry
from scoring_service.domain.lead import Decision, Lead, LeadUpdate, Standing
from scoring_service.domain.lead_state import LeadState
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Timeline
from scoring_service.store import documents, locks
from scoring_service.store.batches import AppendBatch, EventBatch
from scoring_service.store.lead_filters import decayed_beyond, inactive, stale
from scoring_service.store.lead_rows import LeadRows
from scoring_service.store.models import ModelStore
from scoring_service.store.rows import checkpoint_rows, entry_rows
from shared import mongo
from shared.bounded_reads import BoundedRows
from shared.contracts import events
from shared.inbox.collection import Inbox
from shared.inbox.parking import DISCARDED, PARKED, discard_fields
from shared.inbox.schema import PENDING
from shared.locks import take_locks
from shared.mongo import Database, Document
from shared.partitions import BY_ID, Partitions

MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Largest total of event bytes that one transaction reads."""

_EVENT_FIELDS = events.FIELDS | {"partition": 1}
_STANDING = {"through": 1, "publication": 1, "reset_reason": 1, "reset_actor": 1}
T = TypeVar("T")


class LeadWriter:
    """Reads and writes leads inside transactions. Call its methods inside `transact` unless they say otherwise."""

    def __init__(
        self, database: Database, models: ModelStore, events: Inbox, changes: Inbox, *, transaction_seconds: float
    ) -> None:
        self._database = database
        self._models = models
        self._events = events
        self._changes = changes
        self._lead_rows = LeadRows(database, events)
        self._seconds = transaction_seconds
        self._usual_standing = Standing(None, 0)

    def partition_of(self, lead_id: str) -> int:
        """Returns the partition of a lead; may be called anywhere."""
        return self._events.partition_of(lead_id)

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` as one transaction; after a conflict, runs it again from the start."""
        return await mongo.transact(self._database, body, seconds=self._seconds)

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Opens a context, outside of `transact`, in which all reads see one point in time."""
        return mongo.snapshot(self._database)

    async def database_time(self) -> datetime:
        """Returns the time of the database server's clock; may be called anywhere."""
        return await mongo.server_time(self._database)

    async def pending(
        self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None, exclude: Collection[str]
    ) -> EventBatch:
        """Returns the oldest pending events of some partitions, without those of the leads in `exclude`.

        With `ids`, returns only those of them that are pending; otherwise, none that was isolated after a failure.
        """
        return _batch(
            await self._events.pending(
                partitions, limit, _EVENT_FIELDS, ids=ids, exclude_keys=exclude, max_bytes=MAX_BATCH_BYTES
            )
        )

    async def pending_of(self, lead_id: str, limit: int, ids: Sequence[str] | None) -> EventBatch:
        """Returns the oldest pending events of a lead; may be called anywhere."""
        if ids is not None:
            return await self.pending([self.partition_of(lead_id)], limit, ids, ())
        return _batch(await self._events.pending_of(lead_id, limit, _EVENT_FIELDS, max_bytes=MAX_BATCH_BYTES))

    async def are_pending(self, rows: Sequence[Any]) -> bool:
        """Returns whether all of these inbox rows are still pending."""
        return await self._events.are_pending(rows)

    async def take(self, partitions: Iterable[int]) -> dict[int, Standing]:
        """Locks partitions for this transaction, and returns the standing of each.

        Locking writes their rows, so two transactions that lock the same partition conflict.
        """
        rows, ids = self._database["scoring_partitions"], set(partitions)
        # Nearly always, all partitions have the standing that the last one had: then no read is needed.
        usual = self._usual_standing
        if await take_locks(rows, ids, _stored(usual)) == len(ids):
            return dict.fromkeys(ids, usual)
        await take_locks(rows, ids)
        found = {row["_id"]: _standing(row) async for row in rows.find({"_id": {"$in": sorted(ids)}}, _STANDING)}
        self._usual_standing = found[max(found)]
        return found

    async def take_lead(self, lead_id: str) -> Standing:
        """Locks one lead for this transaction, and returns the standing of its partition.

        Drains of the partition go on, but its decay date and its publication stay until the commit. See `locks`.
        """
        partition = self.partition_of(lead_id)
        await locks.take(self._database, partition, locks.of_lead(partition, lead_id))
        return await self.standing(partition)

    async def take_page(self, partition: int) -> Standing:
        """Locks a partition for one page of a decay run or a rollout, and returns its standing.

        Drains of the partition's other leads go on, but its decay date and its publication cannot change until the
        commit. See `locks`.
        """
        await locks.take(self._database, partition, locks.of_pages(partition))
        return await self.standing(partition)

    async def standing(self, partition: int) -> Standing:
        """Returns the standing of a partition without locking it; may be called anywhere."""
        row = await self._database["scoring_partitions"].find_one({"_id": partition}, _STANDING)
        return _standing(row or {})

    async def move_decay(self, partition: int, through: date) -> Standing:
        """Moves the decay date of a partition forward to `through` if it is earlier, and returns the standing.

        It locks the partition only to move it, so repeated and concurrent runs do not delay drains.
        """
        standing = await self.standing(partition)
        if standing.through is not None and standing.through >= through:
            return standing
        return await self._move(partition, {"_id": partition}, {"through": through.isoformat()})

    async def set_decay_back(self, partition: int, to: date, decision: Decision) -> Standing:
        """Locks a partition, sets its decay date back to `to` if it is later, and returns the standing."""
        update = {"through": to.isoformat(), "reset_reason": decision.reason, "reset_actor": decision.actor}
        beyond = {"_id": partition, "through": {"$gt": to.isoformat()}}
        return await self._move(partition, beyond, update)

    async def timeline(self, publication: int) -> Timeline:
        """Returns the timeline up to a publication.

        Raises:
            EngineMismatch: Another engine made the publication.
        """
        return await self._models.timeline(publication)

    async def leads(self, lead_ids: Iterable[str]) -> dict[str, Lead]:
        """Returns the leads that exist, by id."""
        return await find_leads(self._database, self._events.partitions, lead_ids)

    async def inactive_leads(self, partition: int, due: Due) -> list[str]:
        """Returns the ids of the leads of a partition to which decay ticks up to a date may apply; see `inactive`."""
        return await self._ids({"partition": partition, **inactive(due)})

    async def leads_decayed_beyond(self, partition: int, day: date) -> list[str]:
        """Returns the ids of the leads of a partition to which ticks after a date were applied."""
        return await self._ids({"partition": partition, **decayed_beyond(day)})

    async def stale_leads(self, partition: int, timeline: Timeline) -> list[str]:
        """Returns the ids of the leads of a partition that the last publication has not reached yet; see `stale`."""
        return await self._ids({"partition": partition, **stale(timeline)})

    async def entry(self, event_id: str, lead_id: str | None = None) -> tuple[str, Entry] | None:
        """Returns an entry and the id of its lead, or None; may be called anywhere.

        If the lead is given, only entries in its partition are found.
        """
        pinned = {} if lead_id is None else self._events.partitions.pin([lead_id])
        row = await self._database["score_history"].find_one({"_id": event_id, **pinned}, hint=BY_ID)
        return (row["lead_id"], documents.read_entry(row)) if row else None

    async def is_pending(self, event_id: str) -> bool:
        """Returns whether an event is pending; a parked one is not. May be called anywhere."""
        found = await self._events.rows.find_one({"_id": event_id, "state": PENDING}, {"_id": 1}, hint=BY_ID)
        return found is not None

    async def discard(self, event_id: str, reason: str, actor: str, time: datetime) -> str | None:
        """Discards a parked event, unless it was discarded before; may be called anywhere.

        Returns the id of its lead, or None if the event is neither parked nor discarded.
        """
        which = {"_id": event_id, "state": {"$in": [PARKED, DISCARDED]}}
        row = await self._events.rows.find_one(which, {"state": 1, "lead_id": 1, "partition": 1}, hint=BY_ID)
        if row is None:
            return None
        if row["state"] == PARKED:
            discarded = {"state": DISCARDED, **discard_fields(reason, actor, time)}
            result = await mongo.durable(self._events.rows).update_one(
                {"_id": event_id, "partition": row["partition"], "state": PARKED}, {"$set": discarded}, hint=BY_ID
            )
            if not result.matched_count:
                return None  # another caller has just retried the event
        return str(row["lead_id"])

    async def append(self, batch: AppendBatch) -> set[int]:
        """Appends entries, stores states and checkpoints, marks the scored events, and reports changes to automation.

        Returns the partitions of automation's inbox that have new rows.
        """
        updates, partitions = batch.updates, self._events.partitions
        entries = entry_rows(partitions, updates)
        if entries:
            await self._database["score_history"].insert_many(entries, ordered=False)
        await self._lead_rows.store([each.after for each in updates])
        await self._store_checkpoints(updates)
        changes = documents.write_changes(batch, self.partition_of)
        if changes:
            await self._changes.rows.insert_many(changes, ordered=False)
        if batch.rows:
            await self._events.mark(batch.rows)
        return {row["partition"] for row in changes}

    async def replace(self, lead: Lead, checkpoints: Sequence[LeadState]) -> None:
        """Stores the state of a lead and replaces all of its checkpoints; appends nothing."""
        partitions = self._events.partitions
        await self._lead_rows.store([lead])
        await self._database["checkpoints"].delete_many(partitions.lead(lead.lead_id))
        if checkpoints:
            rows = checkpoint_rows(partitions, lead.lead_id, checkpoints)
            await self._database["checkpoints"].insert_many(rows, ordered=False)

    async def _move(self, partition: int, which: Document, change: Document) -> Standing:
        """Locks a partition against everyone, changes its row if it is `which`, and returns its standing."""
        await locks.take_all(self._database, partition)
        await self._database["scoring_partitions"].update_one(which, {"$set": change})
        return (await self.take([partition]))[partition]

    async def _store_checkpoints(self, updates: Sequence[LeadUpdate]) -> None:
        checkpoints, partitions = self._database["checkpoints"], self._events.partitions
        replaced = [
            DeleteMany(partitions.lead(each.after.lead_id) | {"fact_count": {"$gt": each.checkpoints_from}})
            for each in updates
            if each.checkpoints_from < each.before.state.fact_count
        ]
        if replaced:
            await checkpoints.bulk_write(replaced, ordered=False)
        new = [row for each in updates for row in checkpoint_rows(partitions, each.after.lead_id, each.checkpoints)]
        if new:
            await checkpoints.insert_many(new, ordered=False)

    async def _ids(self, condition: Document) -> list[str]:
        return [row["_id"] for row in await self._database["leads"].find(condition, {"_id": 1}).to_list()]


def _batch(pending: BoundedRows) -> EventBatch:
    """Returns the events of a batch.

    If a lead has both historical and live events, the batch ends, for this lead, where the first of the other kind was
    accepted: what a transaction does to a lead either may fire automations, or may not.
    """
    found: dict[str, list[Event]] = defaultdict(list)
    by_lead: dict[str, list[Document]] = defaultdict(list)
    cut: set[str] = set()
    for row in pending:
        event, lead_id = documents.read_event(row), row["lead_id"]
        if lead_id in cut or (found[lead_id] and found[lead_id][0].historical != event.historical):
            cut.add(lead_id)
            continue
        found[lead_id].append(event)
        by_lead[lead_id].append(row)
    partitions = {row["lead_id"]: row["partition"] for row in pending}
    return EventBatch(found, partitions, by_lead, pending.is_full or bool(cut))


def _standing(row: Document) -> Standing:
    reset = Decision(row.get("reset_reason", ""), row.get("reset_actor", ""))
    return Standing(documents.read_date(row.get("through", "")), row.get("publication", 0), reset)


def _stored(standing: Standing) -> Document:
    """Returns the filter for partitions with a standing."""
    through, publication, reset = standing
    # None also matches a missing field.
    return {
        "through": documents.write_date(through),
        "publication": publication,
        "reset_reason": reset.reason or None,
        "reset_actor": reset.actor or None,
    }


async def find_leads(database: Database, partitions: Partitions, lead_ids: Iterable[str]) -> dict[str, Lead]:
    """Returns the leads that exist, by id."""
    ids = list(lead_ids)
    which = {"_id": {"$in": ids}, **partitions.pin(ids)}
    rows = await mongo.naive(database["leads"]).find(which, hint=BY_ID).to_list()
    return {row["_id"]: documents.read_lead(row) for row in rows}
