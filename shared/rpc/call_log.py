"""The log lines of calls.

Guarantee: a call that fails, streams, or takes `SLOW_SECONDS` or more has a line of its own. Unary calls that are
answered share one line per method every `REPORT_SECONDS`, because a line each would add a third to the cost of a small
call. At level debug, they have a line each as well.
"""

import asyncio
from dataclasses import dataclass

from shared import logs

REPORT_SECONDS = 10.0
"""Interval of the lines that calls share."""
SLOW_SECONDS = 1.0
"""A call that takes at least this long has a line of its own."""

_LOG = logs.get(__name__)


@dataclass(slots=True)
class _Tally:
    """The calls of one method since the last report."""

    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0


class CallLog:
    """Logs the calls of a server. Use it from one event loop only, and call `report` when the server has stopped."""

    def __init__(self) -> None:
        self._log = _LOG.bind()  # binding at each call would cost more than the rest of it
        self._tallies: dict[str, _Tally] = {}

    def answered(self, method: str, seconds: float) -> None:
        """Records a call that was answered with OK after so many seconds."""
        if not self._tallies:
            asyncio.get_running_loop().call_later(REPORT_SECONDS, self.report)
        tally = self._tallies.setdefault(method, _Tally())
        tally.count += 1
        tally.seconds += seconds
        tally.longest = max(tally.longest, seconds)
        if seconds >= SLOW_SECONDS:
            self.write(method, "OK", seconds)
        else:
            self._log.debug("rpc", method=method, code="OK", ms=_milliseconds(seconds))

    def write(self, method: str, code: str, seconds: float, **fields: object) -> None:
        """Writes a line of its own for a call."""
        self._log.info("rpc", method=method, code=code, ms=_milliseconds(seconds), **fields)

    def write_fault(self, method: str, code: str, seconds: float, fault: BaseException) -> None:
        """Writes a line of its own, with the traceback, for a call that failed unexpectedly."""
        self._log.error("rpc", method=method, code=code, ms=_milliseconds(seconds), exc_info=fault)

    def report(self) -> None:
        """Writes the lines that calls share, if there were any calls since the last report."""
        tallies, self._tallies = self._tallies, {}
        for method, tally in tallies.items():
            mean, longest = _milliseconds(tally.seconds / tally.count), _milliseconds(tally.longest)
            self._log.info("calls answered", method=method, count=tally.count, ms_mean=mean, ms_max=longest)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
