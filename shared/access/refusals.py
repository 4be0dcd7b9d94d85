"""Calls without a valid key: counted in the log, and answered late, so that guessing keys costs the server nothing.

Guarantee: there is at most one log line about them every `REPORT_SECONDS`. A caller who waits for each answer before it
tries the next key gets one answer every `HOLD_SECONDS` per call in flight, and takes no time from other callers. Held
calls take a bounded amount of memory; beyond that, calls are answered at once.
"""

import asyncio
from typing import Protocol

from shared import logs
from shared.access.audit import address_of

REPORT_SECONDS = 60.0
"""Interval of the log lines."""
HOLD_SECONDS = 1.0
"""How long an answer is held."""
MAX_HELD = 4_096
"""Maximum number of answers that are held."""
MAX_HELD_BYTES = 8 * 1024 * 1024
"""Maximum size of their requests together."""

_LOG = logs.get(__name__)


class Peer(Protocol):
    """What we use of a call's context in gRPC."""

    def peer(self) -> str: ...  # noqa: D102


class Refusals:
    """Counts and holds refused calls. Use it from one event loop only."""

    def __init__(self) -> None:
        self._count = 0
        self._peer = ""
        self._is_waiting = False
        self._held = 0
        self._held_bytes = 0

    def count(self, call: Peer) -> None:
        """Counts a refused call: the first in a line at once, the others together."""
        self._count += 1
        self._peer = call.peer()
        if not self._is_waiting:
            self._report()

    async def hold(self, size: int, seconds_left: float | None) -> None:
        """Waits before a call of `size` bytes is answered, but no longer than half of the time that it has left."""
        if self._held >= MAX_HELD or self._held_bytes + size > MAX_HELD_BYTES:
            return
        self._held += 1
        self._held_bytes += size
        try:
            await asyncio.sleep(HOLD_SECONDS if seconds_left is None else min(HOLD_SECONDS, seconds_left / 2))
        finally:
            self._held -= 1
            self._held_bytes -= size

    def _report(self) -> None:
        self._is_waiting = self._count > 0
        if self._is_waiting:
            _LOG.warning("calls without a valid API key refused", count=self._count, address=address_of(self._peer))
            self._count = 0
            asyncio.get_running_loop().call_later(REPORT_SECONDS, self._report)
