"""The circuit breaker of a drain: when many rows fail alike, the fault is not theirs, and nothing more is attempted.

Guarantee: after `MAX_ALIKE` different rows have failed alone with the same error, and none was done in between, the
circuit is open: no attempt is made or counted and no row is parked, until a probe of one row succeeds. Workers each
have a breaker of their own; what it says is stored with the inbox, so that servers can tell.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import logs, wire
from shared.inbox.collection import Inbox
from shared.inbox.failures import Failure

MAX_ALIKE = 50
"""Rows that fail alike before the circuit opens."""
PROBE_SECONDS = 5.0
"""Time between two probes of an open circuit."""
MAX_KINDS = 100
"""Different errors that are kept apart."""
_FRESH = timedelta(seconds=6 * PROBE_SECONDS)
"""A worker that is stopped says so at each probe; one that has not for so long is gone."""
_VARIABLE = re.compile(r"'[^']*'|\"[^\"]*\"|\S*\d\S*")
"""What differs between errors of one cause: what is quoted, and words with digits, such as ids."""
_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class StoppedDrain:
    """A drain that has stopped because rows fail alike: with which error, how many did, and since when."""

    error: str
    failed_rows: int
    stop_time: datetime


class Breaker:
    """Counts rows that fail alike. It is closed until there are too many."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._alike: dict[str, dict[str, int]] = defaultdict(dict)
        self._stopped: StoppedDrain | None = None
        self._probes = 0
        self._candidates: list[tuple[str, int]] = []

    @property
    def is_open(self) -> bool:
        """Whether nothing is to be attempted."""
        return self._stopped is not None

    def succeeded(self) -> None:
        """Notes that a row was done, which closes the circuit: rows can be done."""
        self._alike.clear()
        if self._stopped is not None:
            self._stopped = None
            _LOG.info("drain goes on", inbox=self._inbox.rows.name)

    def failed(self, row_id: str, partition: int, failure: Failure) -> None:
        """Notes that a row failed alone, which may open the circuit."""
        if len(self._alike) >= MAX_KINDS:
            self._alike.clear()
        rows = self._alike[_VARIABLE.sub("…", failure.reason)]
        rows[row_id] = partition
        if len(rows) >= MAX_ALIKE and self._stopped is None:
            self._stopped = StoppedDrain(failure.reason, len(rows), wire.now())
            self._candidates = list(rows.items())
            _LOG.error(
                "drain stopped",
                inbox=self._inbox.rows.name,
                reason=f"the last {len(rows)} rows failed with {failure.reason}",
                advice="the fault is hardly theirs: mend it; one row is tried every few seconds, and the drain goes on",
            )

    async def probe(self) -> tuple[str, int] | None:
        """Returns a row to probe with, and its partition; None when none is pending.

        Rows that failed and the newest of others take turns: either may be the one that can be done.
        """
        self._probes += 1
        if self._probes % 2 and self._candidates:
            self._candidates.append(self._candidates.pop(0))
            return self._candidates[-1]
        return await self._inbox.newest()

    async def report(self) -> None:
        """Stores with the inbox whether the circuit is open, for `stopped_drain`."""
        if self._stopped is None:
            await self._inbox.record_stop(None)
        else:
            stopped = self._stopped
            await self._inbox.record_stop(
                {
                    "error": stopped.error,
                    "failed_rows": stopped.failed_rows,
                    "stop_time": stopped.stop_time,
                    "report_time": wire.now(),
                }
            )


async def stopped_drain(inbox: Inbox) -> StoppedDrain | None:
    """Returns what a worker says that has stopped to drain an inbox; None when none has."""
    record = await inbox.recorded_stop()
    if record is None or abs(wire.now() - record["report_time"]) > _FRESH:
        return None
    return StoppedDrain(record["error"], record["failed_rows"], record["stop_time"])
