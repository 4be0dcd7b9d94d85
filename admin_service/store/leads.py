"""Moves the history of a lead to its pseudonym.

Guarantee: the lead, its entries, its scored events and its checkpoints change in one transaction, unless there are more
than `PIECE_ENTRIES` entries. Then each transaction moves those of a span of time, and the last one moves the lead. Any
transaction of scoring that writes the same lead conflicts with the last one, and starts over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby

from admin_service.domain import erased_rows
from admin_service.domain.erased_rows import Verdicts
from admin_service.domain.erasure import NOTHING, Counts
from admin_service.domain.pseudonyms import FACTS, RETRACTION, NewIds
from shared.mongo import Database, Document, TransactionTimeout, naive, transact
from shared.partitions import BY_ID, Partitions

PIECE_ENTRIES = 12_000
"""Entries that one transaction moves, if no more of them have the same time."""
MIN_PIECE_ENTRIES = 500
"""If a transaction takes too long, the next ones move half as many entries, but not fewer than this."""
TRANSACTION_SECONDS = 9.0
"""Longest time for one transaction; MongoDB ends it after ten seconds."""
MAX_ATTEMPTS = 8
"""Attempts at one piece; each retry means that another transaction has changed the lead."""
PAUSE_SECONDS = 0.02
"""Pause after the first failed attempt; it doubles after each further one."""

Judge = Callable[[Sequence[str], Sequence[str]], Awaitable[Mapping[str, Verdicts]]]
"""Returns the verdicts of events of some leads, by event id."""
Forget = Callable[[Sequence[str]], Awaitable[None]]
"""Records the ids of events as erased."""


class Unsettled(TimeoutError):
    """Other transactions changed the lead during every attempt; a later call can succeed."""

    def __init__(self) -> None:
        super().__init__("other transactions kept changing the lead; retry with the same request_id")


class _Changed(Exception):
    """The lead has changed since it was read."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What was read of a lead. Verdicts that are asked for later include at least `publication`."""

    which: Document
    event_ids: Sequence[str]
    entries: Sequence[Document]
    events: Sequence[Document]
    lead: Document | None
    publication: int


class LeadMover:
    """Moves leads. `judge` asks the scoring service."""

    def __init__(self, database: Database, partitions: Partitions, judge: Judge) -> None:
        self._database = database
        self._partitions = partitions
        self._judge = judge
        self._history = naive(database["score_history"])
        self._events = naive(database["events"])
        self._leads = naive(database["leads"])

    async def exists(self, lead_id: str) -> bool:
        """Returns whether a lead has a row."""
        return await self._leads.find_one(self._row(lead_id), {"_id": 1}) is not None

    async def has_history(self, lead_id: str) -> bool:
        """Returns whether a lead has an entry."""
        return await self._history.find_one(self._partitions.lead(lead_id), {"_id": 1}, hint="by_sequence") is not None

    async def move(self, lead_id: str, ids: NewIds, forget: Forget) -> Counts:
        """Moves all that is recorded of a lead, piece by piece; returns how many rows.

        Calls `forget` with the ids of facts before they move.

        Raises:
            Unsettled: The lead changed during every attempt.
        """
        moved, size = NOTHING, PIECE_ENTRIES
        while True:
            try:
                for until in [*await self._bounds(lead_id, size), None]:
                    moved += await self._move_unchanged(lead_id, ids, until, forget)
            except TransactionTimeout:
                if size <= MIN_PIECE_ENTRIES:
                    raise
                size //= 2  # the database is slow
            else:
                return moved

    async def _move_unchanged(self, lead_id: str, ids: NewIds, until: datetime | None, forget: Forget) -> Counts:
        for attempt in range(MAX_ATTEMPTS):
            piece = await self._read(lead_id, until)
            if not piece.entries and piece.lead is None:
                return NOTHING
            ids.learn(piece.entries)
            facts = [entry["_id"] for entry in piece.entries if entry["kind"] in FACTS]
            _, verdicts = await asyncio.gather(forget(facts), self._judge([lead_id], piece.event_ids))
            if len(verdicts) == len(piece.event_ids) and await self._replaced(lead_id, piece, ids, verdicts):
                return Counts(len(piece.entries), len(piece.events))
            await asyncio.sleep(PAUSE_SECONDS * 2**attempt)
        raise Unsettled

    async def _bounds(self, lead_id: str, size: int) -> list[datetime]:
        """Returns the times that divide a long history into pieces; entries of the same time stay together."""
        lead = await self._leads.find_one(self._row(lead_id), {"sequence": 1}, hint=BY_ID)
        if lead and lead["sequence"] <= size:
            return []
        rows = self._history.find(self._partitions.lead(lead_id), {"_id": 0, "event_time": 1}, hint="by_sequence")
        times = sorted([row["event_time"] async for row in rows])
        bounds: list[datetime] = []
        total = 0
        for time, group in groupby(times):
            count = len(list(group))
            if total and total + count > size:
                bounds.append(time)
                total = 0
            total += count
        return bounds

    async def _read(self, lead_id: str, until: datetime | None) -> "_Piece":
        """Reads the entries before a time, or the rest with the lead."""
        which = self._partitions.lead(lead_id)
        if until is not None:
            which["event_time"] = {"$lt": until}
        lead = await self._leads.find_one(self._row(lead_id), hint=BY_ID) if until is None else None
        publication = await self._database["model_publications"].count_documents({})
        entries = await self._history.find(which, hint="by_sequence").to_list()
        event_ids = [entry["_id"] for entry in entries if entry["kind"] == "EVENT"]
        events = await self._events.find(self._these(lead_id, event_ids), hint=BY_ID).to_list()
        return _Piece(which, event_ids, entries, events, lead, publication)

    async def _replaced(self, lead_id: str, piece: "_Piece", ids: NewIds, verdicts: Mapping[str, Verdicts]) -> bool:
        """Replaces the rows that were read; returns False if they have changed since."""
        entries = [erased_rows.entry(entry, ids, verdicts) for entry in piece.entries]
        events = [erased_rows.event(event, ids) for event in piece.events]
        write = partial(self._write, lead_id, piece, ids, entries, events)
        try:
            await transact(self._database, write, seconds=TRANSACTION_SECONDS)
        except _Changed:
            return False
        return True

    async def _write(
        self, lead_id: str, piece: "_Piece", ids: NewIds, entries: Sequence[Document], events: Sequence[Document]
    ) -> None:
        """Replaces the rows that were read, in a transaction. The lead comes first, so that its other writers conflict.

        Raises:
            _Changed: The rows have changed since.
        """
        lead = None
        if await self.exists(ids.pseudonym):
            raise _Changed  # by another call for this erasure, and then the lead began anew
        if piece.lead is not None:
            lead = await self._leads.find_one_and_delete(self._row(lead_id), hint=BY_ID)
            # A later publication may have been applied, and the verdicts may not include it.
            if not lead or lead["sequence"] != piece.lead["sequence"] or lead["publication"] > piece.publication:
                raise _Changed
            await self._database["checkpoints"].delete_many(self._partitions.lead(lead_id))
        removed = await self._history.delete_many(piece.which, hint="by_sequence")
        if removed.deleted_count != len(entries):
            raise _Changed
        if entries:
            await self._history.insert_many(entries, ordered=False)
        if events:
            await self._events.delete_many(self._these(lead_id, piece.event_ids), hint=BY_ID)
            await self._events.insert_many(events, ordered=False)
        if lead is not None:
            last_fact = await self._last_fact(ids.pseudonym, lead)
            await self._leads.insert_one(erased_rows.lead(lead, ids, last_fact))

    async def _last_fact(self, pseudonym: str, lead: Document) -> str:
        """Returns the new id of the last fact of a lead that was not retracted; empty if it has none."""
        if not lead["last_fact_id"]:
            return ""
        which = {**self._partitions.lead(pseudonym), "event_time": lead["last_fact_time"]}
        rows = await self._history.find(which, {"kind": 1}, hint="by_sequence").to_list()
        retracted = {row["_id"].removeprefix(RETRACTION) for row in rows if row["kind"] == "RETRACTION"}
        facts: set[str] = {row["_id"] for row in rows if row["kind"] in FACTS} - retracted
        return max(facts)

    def _row(self, lead_id: str) -> Document:
        return {"_id": lead_id, "partition": self._partitions.of(lead_id)}

    def _these(self, lead_id: str, event_ids: Sequence[str]) -> Document:
        return {"_id": {"$in": list(event_ids)}, **self._partitions.pin([lead_id])}
