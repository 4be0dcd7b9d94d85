"""Limits per key: events per second with a burst, and events per day.

Guarantee: on average, a key sends no more than it may. A request is admitted while the limit is not used up and is then
counted in full, so that a batch which is larger than the limit passes, and the requests after it wait. The rate per
second holds in each server process; the count of the day holds for all of them together, within `FLUSH_SECONDS`.

Collection `api_key_usage`, one document per key and day in UTC: {_id, key_id, date, events, at}, owned by the ingest
service. After a failure that leaves the outcome of a write unknown, up to a second of events may count twice or not at
all.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pymongo
from pymongo import IndexModel, ReturnDocument
from pymongo.errors import PyMongoError

from shared import logs, wire
from shared.access.callers import Caller
from shared.access.errors import KeyLimitExceeded
from shared.access.keys import Limits
from shared.mongo import Database, durable
from shared.tasks import is_cancelled

COLLECTION = "api_key_usage"
INDEXES = {COLLECTION: [IndexModel("at", name="at", expireAfterSeconds=8 * 86_400)]}
"""MongoDB deletes the counts of a day after a week."""
FLUSH_SECONDS = 1.0
"""Interval at which the counts of the day are added up in MongoDB."""
WRITE_SECONDS = 5.0
"""Longest time to write them."""

_LOG = logs.get(__name__)


@dataclass(slots=True)
class _Bucket:
    """The events that a key may still send at once; below zero after a large batch."""

    events: float
    filled_at: float


@dataclass(slots=True)
class _Day:
    """The events that a key has sent on a day: as MongoDB last counted them, and those that are not there yet."""

    date: str
    counted: int = 0
    uncounted: int = 0


class Rates:
    """Counts the events of callers with limits. Keep `run` running, and use it from one event loop only."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = wire.now,
    ) -> None:
        self._usage = durable(database[COLLECTION])
        self._clock = clock
        self._now = now
        self._buckets: dict[str, _Bucket] = {}
        self._days: dict[str, _Day] = {}

    def take(self, caller: Caller, events: int) -> None:
        """Counts the events of a request.

        Raises:
            KeyLimitExceeded: A limit of the key is used up; nothing is counted.
        """
        limits = caller.limits
        if limits is None:
            return
        bucket = self._bucket(caller.key_id, limits) if limits.per_second else None
        day = self._day(caller.key_id, limits) if limits.per_day else None
        if bucket:
            bucket.events -= events
        if day:
            day.uncounted += events

    async def run(self) -> None:
        """Adds up the counts in MongoDB until it is cancelled, and once more then."""
        is_failing = False
        try:
            while not is_cancelled():
                await asyncio.sleep(FLUSH_SECONDS)
                try:
                    await self.flush()
                    is_failing = False
                except PyMongoError as error:
                    if not is_failing:
                        _LOG.warning("the events of API keys cannot be counted", error=logs.one_line(error))
                    is_failing = True
        finally:
            with contextlib.suppress(PyMongoError):
                await self.flush()

    async def flush(self) -> None:
        """Adds the events since the last flush to the counts in MongoDB, and reads those of all servers together.

        Raises:
            PyMongoError: MongoDB cannot be reached; the events remain to be counted.
        """
        with pymongo.timeout(WRITE_SECONDS):
            for key_id, day in list(self._days.items()):
                if day.uncounted:
                    await self._add(key_id, day)

    async def _add(self, key_id: str, day: _Day) -> None:
        events = day.uncounted
        document = await self._usage.find_one_and_update(
            {"_id": f"{key_id}:{day.date}"},
            {"$inc": {"events": events}, "$setOnInsert": {"key_id": key_id, "date": day.date, "at": self._now()}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        day.uncounted -= events
        day.counted = document["events"]  # type: ignore[index]  # an upsert returns its document

    def _bucket(self, key_id: str, limits: Limits) -> _Bucket:
        now, capacity = self._clock(), limits.burst or limits.per_second
        bucket = self._buckets.setdefault(key_id, _Bucket(capacity, now))
        bucket.events = min(capacity, bucket.events + (now - bucket.filled_at) * limits.per_second)
        bucket.filled_at = now
        if bucket.events < 1:
            raise KeyLimitExceeded(f"{limits.per_second} events per second", (1 - bucket.events) / limits.per_second)
        return bucket

    def _day(self, key_id: str, limits: Limits) -> _Day:
        now = self._now()
        today, day = now.date().isoformat(), self._days.get(key_id)
        if day is None or day.date != today:
            day = self._days[key_id] = _Day(today)
        if day.counted + day.uncounted >= limits.per_day:
            raise KeyLimitExceeded(f"{limits.per_day} events of the day", _seconds_of_day_left(now))
        return day


def _seconds_of_day_left(now: datetime) -> float:
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    return (midnight - now).total_seconds()
