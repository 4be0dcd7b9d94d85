"""Suspects: the rows of an inbox on which a drain failed, tried one at a time, apart from all others.

Guarantee: a row is parked only after `MOST_ATTEMPTS` failures of it alone that were its own fault. What is of the
environment, such as a database that is away, parks nothing, however long it lasts.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pymongo.errors import PyMongoError

from shared import logs
from shared.errors import is_transient
from shared.parking import DIED, MOST_ATTEMPTS, Parking, Suspect
from shared.tasks import is_cancelled

_LOG = logs.get(__name__)


class Step(Protocol):
    """One transaction over rows of an inbox."""

    async def __call__(self, partitions: Sequence[int], most: int, ids: Sequence[str] | None = None) -> int:
        """Does at most so many rows of some partitions, those among `ids` if given, and returns how many it did."""


class Suspects:
    """Tries rows alone; `run()` must be running for those to be tried again that failed."""

    def __init__(self, parking: Parking, step: Step) -> None:
        self._parking = parking
        self._step = step
        self._owed: list[Suspect] = []

    async def attempt(self, row_id: str) -> None:
        """Makes one attempt at a row alone, unless it is not its turn.

        Raises:
            Exception: It failed and it was not the row's fault.
        """
        suspect = await self._parking.begin(row_id)
        if suspect is None:
            return
        try:
            await self._step([suspect.partition], 1, [row_id])
        except BaseException as error:
            if not isinstance(error, Exception) or is_transient(error):
                await self._forgive(suspect)
                raise
            await self._parking.blame(suspect, error)
            _LOG.warning("row failed", id=row_id, attempts=suspect.attempts, error=logs.one_line(error))

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
            except PyMongoError as error:
                _LOG.warning("suspects not tried", error=str(error))
            await asyncio.sleep(every)

    async def _forgive(self, suspect: Suspect) -> None:
        """Takes an attempt back, later if it cannot be done now: what the row met may have met the database as well."""
        try:
            await self._parking.forgive(suspect)
        except PyMongoError:
            self._owed.append(suspect)

    async def _again(self, suspect: Suspect) -> None:
        if suspect.attempts >= MOST_ATTEMPTS:
            # Nobody has told how its last attempt ended.
            await self._parking.park(suspect, DIED)
            _LOG.warning("row failed", id=suspect.row_id, attempts=suspect.attempts, error=DIED)
            return
        try:
            await self.attempt(suspect.row_id)
        except Exception as error:  # noqa: BLE001 (the row is due again later)
            _LOG.warning("suspect not tried", id=suspect.row_id, error=logs.one_line(error))
