"""Parking: what becomes of the rows of an inbox that cannot be done.

Guarantee: an attempt at a row alone is counted in the row before it is made, so that it counts even if the worker dies
of it; a row whose last allowed attempt failed is parked with its reason, and nothing but `retry` touches it again.

Such a row holds, beside what every row does: `attempts` (made at it alone), `retry_time` (when it may be tried again),
`reason` (why the last one failed), and when it is `parked`, its `state`, also `park_time`. A row that was done after
all keeps what it has of them. Its `put_time` is that of the last attempt, so that it does not pass for a backlog.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from pymongo import ASCENDING, ReturnDocument

from shared import wire
from shared.inbox import APART, PENDING, Inbox
from shared.mongo import Document, durable
from shared.pages import Place

PARKED = "parked"
MOST_ATTEMPTS = 5
CLAIM = timedelta(seconds=15)
"""Longer than an attempt takes: a row that is not settled by then is taken for one whose worker died."""
PAUSE = timedelta(seconds=1)
"""Wait after the first failed attempt; each further one doubles it."""
FARTHEST = 2 * CLAIM
"""How far ahead a `retry_time` can lie: no span that is set is longer than `CLAIM`; clocks may differ by as much."""
MOST_DUE = 100
"""Rows that are looked at together."""
MOST_REASON = 300
"""Characters of a reason."""
DIED = "its worker died while it was being drained"


class Suspect(NamedTuple):
    """A row that is tried alone: its partition, and the attempts made or begun."""

    row_id: str
    partition: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked row. `row` is what its producer wrote, and more."""

    row_id: str
    attempts: int
    reason: str
    park_time: datetime
    row: Document


class Parking:
    """Keeps account of the rows of one inbox that failed alone."""

    def __init__(self, inbox: Inbox) -> None:
        self._rows = durable(inbox.rows)

    async def begin(self, row_id: str) -> Suspect | None:
        """Counts an attempt that is about to be made; None when the row is done, or somebody else tries it."""
        now = wire.now()
        row = await self._rows.find_one_and_update(
            {"_id": row_id, "state": PENDING, "retry_time": {"$not": {"$gt": now, "$lte": now + FARTHEST}}},
            {"$inc": {"attempts": 1}, "$set": {"retry_time": now + CLAIM, "put_time": now}},
            projection={"partition": 1, "attempts": 1},
            return_document=ReturnDocument.AFTER,
        )
        return _suspect(row) if row else None

    async def blame(self, suspect: Suspect, error: Exception) -> None:
        """Notes that the attempt failed and it was the row's fault; the last one parks it."""
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:MOST_REASON]
        if suspect.attempts >= MOST_ATTEMPTS:
            await self.park(suspect, reason)
        else:
            retry_time = wire.now() + PAUSE * 2 ** (suspect.attempts - 1)
            await self._update(suspect, {"$set": {"reason": reason, "retry_time": retry_time}})

    async def forgive(self, suspect: Suspect) -> None:
        """Takes an attempt back: it failed, but nobody knows whether the row can be done."""
        await self._update(suspect, {"$inc": {"attempts": -1}, "$set": {"retry_time": wire.now() + PAUSE}})

    async def park(self, suspect: Suspect, reason: str) -> None:
        """Parks a row, unless it was done or tried again meanwhile."""
        parked = {"state": PARKED, "reason": reason, "park_time": wire.now()}
        await self._update(suspect, {"$set": parked, "$unset": {"retry_time": ""}})

    async def due(self) -> list[Suspect]:
        """Returns rows that may be tried again, those first that have waited for longest."""
        now = wire.now()
        # Farther ahead than any attempt sets it: the clock was set back since, and would let the row wait for as long.
        times = [{"retry_time": {"$lte": now}}, {"retry_time": {"$gt": now + FARTHEST}}]
        due = {"state": PENDING, **APART, "$or": times}
        rows = self._rows.find(due, {"partition": 1, "attempts": 1}).sort("retry_time", ASCENDING).limit(MOST_DUE)
        return [_suspect(row) async for row in rows]

    async def count(self) -> int:
        """Returns the number of parked rows."""
        return await self._rows.count_documents({"state": PARKED, **APART})

    async def page(self, after: Place, most: int) -> list[Parked]:
        """Returns parked rows from beyond a place (park time and id) on, those first that were parked first."""
        condition: Document = {"state": PARKED, **APART}
        if after:
            time, row_id = after
            condition["$or"] = [{"park_time": {"$gt": time}}, {"park_time": time, "_id": {"$gt": row_id}}]
        rows = self._rows.find(condition).sort([("park_time", ASCENDING), ("_id", ASCENDING)]).limit(most)
        return [Parked(row["_id"], row["attempts"], row["reason"], row["park_time"], row) async for row in rows]

    async def retry(self, row_ids: Sequence[str] | None) -> int:
        """Lets parked rows wait as if they were put now, all or some, and returns how many; others are left alone.

        The sweeper rings for them.
        """
        which: Document = {} if row_ids is None else {"_id": {"$in": list(row_ids)}}
        cleared = dict.fromkeys(("attempts", "reason", "park_time"), "")
        update = {"$set": {"state": PENDING, "put_time": wire.now()}, "$unset": cleared}
        return (await self._rows.update_many({"state": PARKED, **APART, **which}, update)).modified_count

    async def _update(self, suspect: Suspect, update: Document) -> None:
        # Not if it was done, nor if it was tried again since: by somebody who took us for dead.
        same = {"_id": suspect.row_id, "state": PENDING, "attempts": suspect.attempts}
        await self._rows.update_one(same, update)


def _suspect(row: Document) -> Suspect:
    return Suspect(row["_id"], row["partition"], row["attempts"])
