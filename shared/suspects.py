"""Suspects: the rows of an inbox on which a drain failed, tried one at a time, apart from all others.

Guarantee: a row is parked only after `MOST_ATTEMPTS` failures of it alone that were its own fault, or after one that
says that it is too large for any attempt. What is of the environment, such as a database that is away, parks nothing,
however long it lasts; nor does what makes many rows fail alike.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pymongo.errors import PyMongoError

from shared import logs
from shared.breaker import PROBE_SECONDS, Breaker
from shared.failures import DIED, Failure, failure_of
from shared.mongo import TransactionTimeout
from shared.parking import MOST_ATTEMPTS, Parking, Suspect
from shared.tasks import is_cancelled

_LOG = logs.get(__name__)


class Step(Protocol):
    """One transaction over rows of an inbox."""

    async def __call__(self, partitions: Sequence[int], most: int, ids: Sequence[str] | None = None) -> int:
        """Does at most so many rows of some partitions, those among `ids` if given, and returns how many it did."""


class Suspects:
    """Tries rows alone; `run()` must be running for those to be tried again that failed."""

    def __init__(self, parking: Parking, breaker: Breaker, step: Step) -> None:
        self.breaker = breaker
        self._parking = parking
        self._step = step
        self._owed: list[Suspect] = []

    async def attempt(self, row_id: str) -> None:
        """Makes one attempt at a row alone, unless it is not its turn.

        Raises:
            Exception: It failed and it was not the row's fault.
        """
        suspect = None if self.breaker.is_open else await self._parking.begin(row_id)
        if suspect is None:
            return
        try:
            done = await self._step([suspect.partition], 1, [row_id])
        except BaseException as error:
            failure = await self._failure(suspect, error)
            if failure is None:
                await self._forgive(suspect)
                raise
            await self._blame(suspect, failure)
        else:
            if done:
                self.breaker.succeeded()

    async def run(self, *, every: float = 1.0) -> None:
        """Tries again what is due, until it is cancelled; looks every `every` seconds."""
        while not is_cancelled():
            try:
                owed, self._owed = self._owed, []
                for suspect in owed:
                    await self._forgive(suspect)
                for suspect in await self._parking.due():
                    if not is_cancelled():
                        await self._again(suspect)
                while self.breaker.is_open and not is_cancelled():
                    await self._probe()
            except PyMongoError as error:
                _LOG.warning("suspects not tried", error=str(error))
            await asyncio.sleep(every)

    async def _probe(self) -> None:
        """Tries one row without counting it, after a while; the circuit closes when it is done, or none is there."""
        await self.breaker.report()
        await asyncio.sleep(PROBE_SECONDS)
        row = await self.breaker.probe()
        try:
            if row is None or await self._step([row[1]], 1, [row[0]]):
                self.breaker.succeeded()
                await self.breaker.report()
        except Exception as error:  # noqa: BLE001 (so the circuit stays open)
            _LOG.info("probe failed", error=logs.one_line(error))

    async def _failure(self, suspect: Suspect, error: BaseException) -> Failure | None:
        if isinstance(error, TransactionTimeout) and not await self._parking.is_answered(suspect):
            return None
        return failure_of(error)

    async def _blame(self, suspect: Suspect, failure: Failure) -> None:
        """Counts the attempt, unless by now too many have failed alike."""
        self.breaker.failed(suspect.row_id, suspect.partition, failure)
        if self.breaker.is_open:
            await self._forgive(suspect)
            return
        await self._parking.blame(suspect, failure)
        _LOG.warning("row failed", id=suspect.row_id, attempts=suspect.attempts, error=failure.reason)

    async def _forgive(self, suspect: Suspect) -> None:
        """Takes an attempt back, later if it cannot be done now: what the row met may have met the database as well."""
        try:
            await self._parking.forgive(suspect)
        except PyMongoError:
            self._owed.append(suspect)

    async def _again(self, suspect: Suspect) -> None:
        if self.breaker.is_open:
            return
        if suspect.attempts >= MOST_ATTEMPTS:
            # Nobody has told how its last attempt ended.
            await self._parking.park(suspect, DIED)
            _LOG.warning("row failed", id=suspect.row_id, attempts=suspect.attempts, error=DIED.reason)
            return
        try:
            await self.attempt(suspect.row_id)
        except Exception as error:  # noqa: BLE001 (the row is due again later)
            _LOG.warning("suspect not tried", id=suspect.row_id, error=logs.one_line(error))
