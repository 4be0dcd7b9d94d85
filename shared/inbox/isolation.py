"""Isolated retries: a row on which a drain failed is tried alone, apart from all others. A bundle is divided before.

Guarantee: a row is parked only after `MAX_ATTEMPTS` isolated failures that were its own fault, or after one that shows
it is too large for any attempt. An environment error, such as an unavailable database, never parks a row, however long
it lasts; nor does an error that many rows share.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from typing import Protocol

from pymongo.errors import PyMongoError

from shared import logs
from shared.inbox.breaker import PROBE_SECONDS, Breaker
from shared.inbox.failures import DIED, Failure, failure_of
from shared.inbox.parking import MAX_ATTEMPTS, IsolatedRow, Parking
from shared.metrics import inboxes
from shared.mongo import TransactionTimeout
from shared.tasks import is_cancelled

ALERT_SECONDS = 60.0
"""A worker that has met no isolated row for this long, since its start or the last one, looks for them less often."""
IDLE_FACTOR = 5
"""How much less often: then only rows that other workers have isolated can be due."""
_LOG = logs.get(__name__)


class Step(Protocol):
    """One transaction over rows of an inbox."""

    async def __call__(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        """Processes at most `limit` rows of the partitions, only those in `ids` if given, and returns how many."""


class IsolatedRetries:
    """Tries rows alone. `run()` must be running, or failed rows are not retried."""

    def __init__(self, parking: Parking, breaker: Breaker, step: Step) -> None:
        self.breaker = breaker
        self._parking = parking
        self._step = step
        self._deferred: list[IsolatedRow] = []
        self._alert_until = time.monotonic() + ALERT_SECONDS
        self._isolated = asyncio.Event()

    async def attempt(self, row_id: str, partition: int) -> bool:
        """Tries a row alone, unless it is not due or the circuit is open. Returns whether it was divided instead.

        Raises:
            Exception: The attempt failed, and it was not the fault of the row.
        """
        if self.breaker.is_open:
            return False
        if await self._parking.inbox.divide(row_id, partition):
            return True
        isolated_row = await self._parking.begin(row_id, partition)
        if isolated_row is not None:
            await self._attempt(isolated_row)
        return False

    async def run(self, *, every: float = 1.0) -> None:
        """Retries the rows that are due every `every` seconds, until it is cancelled; see `ALERT_SECONDS`."""
        while not is_cancelled():
            try:
                deferred, self._deferred = self._deferred, []
                for isolated_row in deferred:
                    await self._cancel_attempt(isolated_row)
                for isolated_row in await self._parking.due():
                    if not is_cancelled():
                        await self._again(isolated_row)
                while self.breaker.is_open and not is_cancelled():
                    await self._probe()
            except PyMongoError as error:
                _LOG.warning("isolated rows not tried", error=str(error))
            await self._pause(every)

    async def _pause(self, every: float) -> None:
        """Waits for `every` seconds; if this worker has met no isolated row lately, for longer or until it does."""
        if time.monotonic() < self._alert_until:
            await asyncio.sleep(every)
            return
        self._isolated.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_FACTOR * every):
                await self._isolated.wait()

    async def _attempt(self, isolated_row: IsolatedRow) -> None:
        self._alert_until = time.monotonic() + ALERT_SECONDS
        self._isolated.set()
        try:
            done = await self._step([isolated_row.partition], 1, [isolated_row.row_id])
        except BaseException as error:
            failure = await self._failure(isolated_row, error)
            if failure is None:
                await self._cancel_attempt(isolated_row)
                raise
            await self._record_failure(isolated_row, failure)
        else:
            if done:
                self.breaker.succeeded()

    async def _probe(self) -> None:
        """Tries one row after a pause, without counting it; closes the circuit if it succeeds or no row is pending."""
        await self.breaker.report()
        await asyncio.sleep(PROBE_SECONDS)
        row = await self.breaker.probe()
        try:
            if row is None or await self._step([row[1]], 1, [await self._alone(*row)]):
                self.breaker.succeeded()
                await self.breaker.report()
        except Exception as error:  # noqa: BLE001 (the circuit stays open)
            _LOG.info("probe failed", error=logs.one_line(error))

    async def _alone(self, row_id: str, partition: int) -> str:
        """Returns the id of a row with one item: the given one, or one of those into which it was divided.

        A whole bundle would be a bad probe, because one item that fails would hide that all others succeed.
        """
        return random.choice(await self._parking.inbox.divide(row_id, partition) or [row_id])  # noqa: S311 (not security)

    async def _failure(self, isolated_row: IsolatedRow, error: BaseException) -> Failure | None:
        if isinstance(error, TransactionTimeout) and not await self._parking.is_answered(isolated_row):
            return None
        return failure_of(error)

    async def _record_failure(self, isolated_row: IsolatedRow, failure: Failure) -> None:
        """Counts the attempt, unless it opens the circuit."""
        self.breaker.failed(isolated_row.row_id, isolated_row.partition, failure)
        if self.breaker.is_open:
            await self._cancel_attempt(isolated_row)
            return
        await self._parking.record_failure(isolated_row, failure)
        inboxes.ROW_FAILURES.labels(self._parking.inbox.rows.name).inc()
        _LOG.warning("row failed", id=isolated_row.row_id, attempts=isolated_row.attempts, error=failure.reason)

    async def _cancel_attempt(self, isolated_row: IsolatedRow) -> None:
        """Uncounts an attempt, or does so later if the database is unavailable."""
        try:
            await self._parking.cancel_attempt(isolated_row)
        except PyMongoError:
            self._deferred.append(isolated_row)

    async def _again(self, isolated_row: IsolatedRow) -> None:
        if self.breaker.is_open:
            return
        if isolated_row.attempts >= MAX_ATTEMPTS:
            # The outcome of its last attempt is unknown: its worker died.
            await self._parking.park(isolated_row, DIED)
            _LOG.warning("row failed", id=isolated_row.row_id, attempts=isolated_row.attempts, error=DIED.reason)
            return
        try:
            await self.attempt(isolated_row.row_id, isolated_row.partition)
        except Exception as error:  # noqa: BLE001 (the row is due again later)
            _LOG.warning("isolated row not tried", id=isolated_row.row_id, error=logs.one_line(error))
