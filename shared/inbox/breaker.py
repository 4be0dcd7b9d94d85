"""The circuit breaker of a drain: it stops the drain when many rows fail with the same error.

Guarantee: the circuit opens after `MAX_ALIKE` different rows have failed alone with the same error and none has
succeeded in between. While it is open, no attempt is made or counted and no row is parked, until a probe of one row
succeeds. Each worker has its own breaker; it stores its state with the inbox, so that servers can report it.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import logs, wire
from shared.inbox.collection import Inbox
from shared.inbox.failures import Failure

MAX_ALIKE = 50
"""The number of rows that fail with the same error before the circuit opens."""
PROBE_SECONDS = 5.0
"""Seconds between two probes of an open circuit."""
MAX_KINDS = 100
"""The maximum number of different errors that are counted separately."""
_FRESH = timedelta(seconds=6 * PROBE_SECONDS)
"""A stopped worker reports at each probe; a report older than this is from a worker that is gone."""
_VARIABLE = re.compile(r"'[^']*'|\"[^\"]*\"|\S*\d\S*")
"""The parts in which errors of one cause differ: quoted text, and words with digits, such as ids."""
_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class StoppedDrain:
    """A drain that has stopped because many rows failed with the same error."""

    error: str
    failed_rows: int
    stop_time: datetime


class Breaker:
    """Counts rows that fail with the same error, and opens when there are too many."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._alike: dict[str, dict[str, int]] = defaultdict(dict)
        self._stopped: StoppedDrain | None = None
        self._probes = 0
        self._candidates: list[tuple[str, int]] = []

    @property
    def is_open(self) -> bool:
        """Whether the drain is stopped."""
        return self._stopped is not None

    def succeeded(self) -> None:
        """Records that a row succeeded, which closes the circuit."""
        self._alike.clear()
        if self._stopped is not None:
            self._stopped = None
            _LOG.info("drain resumed", inbox=self._inbox.rows.name)

    def failed(self, row_id: str, partition: int, failure: Failure) -> None:
        """Records that a row failed alone, which may open the circuit."""
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
                advice="fix the cause, which is probably not in the rows; the drain resumes by itself",
            )

    async def probe(self) -> tuple[str, int] | None:
        """Returns a row to probe with, and its partition; None if none is pending.

        It alternates between failed rows and the newest pending rows, because either kind may succeed first.
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
    """Returns the report of a worker that has stopped draining an inbox; None if none has stopped."""
    record = await inbox.recorded_stop()
    if record is None or abs(wire.now() - record["report_time"]) > _FRESH:
        return None
    return StoppedDrain(record["error"], record["failed_rows"], record["stop_time"])
