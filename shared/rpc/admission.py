"""Admission: how many calls a server works on at a time, and what becomes of those that come meanwhile.

Guarantee: calls are let in oldest first and never more of them than there are places; streams that read much have
places of their own, so that neither they nor unary calls keep the others out. A call that would wait too long is
refused before its request is even parsed, so that under overload the time goes into calls that are answered, and memory
stays bounded.
"""

import asyncio
import contextlib
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from enum import Enum
from typing import TypeAlias

from shared import logs
from shared.rpc.errors import Overloaded, Stopping

PLACE_BYTES = 2_048
"""Of a request: one that is longer takes a place for each such part, since work and memory grow with it."""
STREAM_PLACES = 4
"""Heavy streams that a server works on at a time, unless it is set otherwise."""
STREAM_SECONDS = 1.0
"""How long a heavy stream waits for a place, unless it is set otherwise."""
MAX_WAITING = 4_096
"""Parts of that size that the requests of waiting calls may come to: 8 MiB."""
RETRY_SECONDS = 1.0
"""When refused callers shall come back, on average."""
REPORT_SECONDS = 1.0
"""Refusals are counted, and logged together this often."""

_LOG = logs.get(__name__)


class StreamKind(Enum):
    """What a method that answers with a stream costs the server."""

    HEAVY = "heavy"
    """It works for as long as it lasts, such as one that reads every lead."""
    WATCH = "watch"
    """It waits for what happens. The service itself bounds how many there are."""


StreamTable: TypeAlias = Mapping[str, StreamKind]
"""One per service: its methods that answer with a stream, by name."""


def nothing_refused() -> None:
    """Refuses nothing."""


class Admission:
    """Lets calls in. To be used in one event loop.

    `places` is how many may be in, `seconds` how long a call may wait. `gate` raises what every call is to be refused
    with at the moment, whether there is room or not.
    """

    def __init__(self, places: int, seconds: float, gate: Callable[[], None] = nothing_refused) -> None:
        self._places = places
        self._free = places
        self._seconds = seconds
        self._gate = gate
        self._waiting: OrderedDict[asyncio.Future[None], int] = OrderedDict()
        self._waiting_parts = 0
        self._refused = 0
        self._told: asyncio.Event | None = None

    def close(self) -> asyncio.Event:
        """Lets nobody in from now on, except those who wait already; who comes is told so once the event is set."""
        self._told = asyncio.Event()
        return self._told

    async def check(self) -> None:
        """Takes part in every call, also in those that take no place.

        Raises:
            Stopping: Nobody is let in any more.
        """
        if self._told:
            await self._told.wait()
            raise Stopping

    @contextlib.asynccontextmanager
    async def place(self, size: int, seconds: float) -> AsyncIterator[None]:
        """Has a place, for a request of so many bytes, while the block runs.

        It is waited for as long as calls may wait, but at most for half of the `seconds` that the call itself may
        take: what is started shall have the time to end, and who is refused the time to try again.

        Raises:
            Stopping: Nobody is let in any more.
            Overloaded: There is none.
            TimeoutError: The call's time is over; nobody waits for its answer.
        """
        await self.check()
        if seconds <= 0:
            raise TimeoutError
        parts = 1 + size // PLACE_BYTES
        count = min(parts, self._places)
        try:
            self._gate()
            await self._enter(count, parts, min(self._seconds, seconds / 2))
        except Exception:
            self._count_refusal()
            raise
        try:
            yield
        finally:
            self._leave(count)

    async def _enter(self, count: int, parts: int, seconds: float) -> None:
        if not self._waiting and count <= self._free:
            self._free -= count
            return
        if self._waiting_parts + parts > MAX_WAITING:
            raise _overloaded()
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = count
        self._waiting_parts += parts
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException as error:
            self._give_up(turn, count)
            if isinstance(error, TimeoutError):
                raise _overloaded() from None
            raise
        finally:
            self._waiting_parts -= parts

    def _leave(self, count: int) -> None:
        self._free += count
        while self._waiting and next(iter(self._waiting.values())) <= self._free:
            turn, count = self._waiting.popitem(last=False)
            self._free -= count
            # Whoever has given up in this very moment has yet to notice, and gives the place back then.
            if not turn.done():
                turn.set_result(None)

    def _give_up(self, turn: "asyncio.Future[None]", count: int) -> None:
        if turn not in self._waiting:
            self._leave(count)
            return
        del self._waiting[turn]
        self._leave(0)  # those behind may fit into what is free

    def _count_refusal(self) -> None:
        if not self._refused:
            asyncio.get_running_loop().call_later(REPORT_SECONDS, self._report)
        self._refused += 1

    def _report(self) -> None:
        _LOG.warning("calls refused", count=self._refused)
        self._refused = 0


class Streams:
    """Lets streams in: a bounded number of heavy ones, and every watch. A method that no table names is heavy."""

    def __init__(
        self, kinds: StreamTable | None = None, places: int = STREAM_PLACES, seconds: float = STREAM_SECONDS
    ) -> None:
        self.admission = Admission(places, seconds)
        self._kinds = kinds or {}

    @contextlib.asynccontextmanager
    async def place(self, method: str, seconds: float | None) -> AsyncIterator[None]:
        """Has what place the stream needs while the block runs; `seconds` is what its caller gives it, if anything.

        Raises:
            Stopping: Nobody is let in any more.
            Overloaded: There is no place.
            TimeoutError: The call's time is over; nobody waits for its answer.
        """
        if self._kinds.get(method) is StreamKind.WATCH:
            await self.admission.check()
            yield
        else:
            async with self.admission.place(0, float("inf") if seconds is None else seconds):
                yield


def _overloaded() -> Overloaded:
    # Those who are refused together shall not come back together.
    return Overloaded(RETRY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 (it spreads, and guards nothing)
