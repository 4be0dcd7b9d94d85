"""Admission control: limits the concurrent calls of a server, and queues or refuses the rest.

Guarantee: calls are admitted oldest first, and never more than there are slots. Heavy streams have separate slots, so
streams and unary calls cannot starve each other. A call that would wait too long is refused before its request is
parsed, so an overloaded server spends its time on calls that it answers, and its memory stays bounded.
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

SLOT_BYTES = 2_048
"""Bytes of a request per slot. A longer request takes several slots, because its work and memory grow with its size."""
STREAM_SLOTS = 4
"""Default number of concurrent heavy streams."""
STREAM_SECONDS = 1.0
"""Default longest time that a heavy stream waits for a slot."""
MAX_WAITING = 4_096
"""Maximum number of parts of `SLOT_BYTES` in the requests of all waiting calls: 8 MiB."""
RETRY_SECONDS = 1.0
"""Average delay after which refused callers should retry."""
REPORT_SECONDS = 1.0
"""Interval at which the number of refused calls is logged."""

_LOG = logs.get(__name__)


class StreamKind(Enum):
    """The cost of a streaming method."""

    HEAVY = "heavy"
    """Works for its whole duration; for example, reads every lead."""
    WATCH = "watch"
    """Mostly waits for changes. The service itself limits the number of watches."""


StreamTable: TypeAlias = Mapping[str, StreamKind]
"""The streaming methods of a service, by name."""


def nothing_refused() -> None:
    """Refuses nothing."""


class Admission:
    """Admits calls. Use it from one event loop only.

    `slots` is the number of slots, `seconds` the longest time that a call waits for one. `gate` runs before each
    admission; if it raises, the call is refused with that error even if slots are free.
    """

    def __init__(self, slots: int, seconds: float, gate: Callable[[], None] = nothing_refused) -> None:
        self._slots = slots
        self._free = slots
        self._seconds = seconds
        self._gate = gate
        self._waiting: OrderedDict[asyncio.Future[None], int] = OrderedDict()
        self._waiting_parts = 0
        self._refused = 0
        self._closed: asyncio.Event | None = None

    def close(self) -> asyncio.Event:
        """Stops admitting new calls; waiting calls stay queued. New calls fail once the returned event is set."""
        self._closed = asyncio.Event()
        return self._closed

    async def check(self) -> None:
        """Waits for the event of `close` and raises if the server stops. Runs for every call, also for watches.

        Raises:
            Stopping: The server is stopping.
        """
        if self._closed:
            await self._closed.wait()
            raise Stopping

    def slot(self, size: int, seconds: float) -> "_Slot":
        """Returns a context manager that holds the slots for a request of `size` bytes while its block runs.

        A call waits at most for half of the `seconds` that it has, so that an admitted call has time to finish and a
        refused caller has time to retry.

        Raises:
            Stopping: The server is stopping.
            Overloaded: No slot became free in time, or too many calls wait.
            TimeoutError: The deadline of the call has passed.
        """
        return _Slot(self, size, seconds)

    async def enter(self, size: int, seconds: float) -> int:
        """Takes the slots for a request; returns their number, for `leave`. See `slot`."""
        await self.check()
        if seconds <= 0:
            raise TimeoutError
        parts = 1 + size // SLOT_BYTES
        count = min(parts, self._slots)
        try:
            self._gate()
            await self._enter(count, parts, min(self._seconds, seconds / 2))
        except Exception:
            self._count_refusal()
            raise
        return count

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

    def leave(self, count: int) -> None:
        """Returns slots, and admits the calls that wait for them."""
        self._free += count
        while self._waiting and next(iter(self._waiting.values())) <= self._free:
            turn, count = self._waiting.popitem(last=False)
            self._free -= count
            # A call that was cancelled just now returns its slots in `_give_up`.
            if not turn.done():
                turn.set_result(None)

    def _give_up(self, turn: "asyncio.Future[None]", count: int) -> None:
        if turn not in self._waiting:
            self.leave(count)
            return
        del self._waiting[turn]
        self.leave(0)  # calls further back may fit into the free slots

    def _count_refusal(self) -> None:
        if not self._refused:
            asyncio.get_running_loop().call_later(REPORT_SECONDS, self._report)
        self._refused += 1

    def _report(self) -> None:
        _LOG.warning("calls refused", count=self._refused)
        self._refused = 0


class _Slot:
    """The slots of one call. A class, because a generator of `contextlib` would cost several times as much."""

    __slots__ = ("_admission", "_count", "_seconds", "_size")

    def __init__(self, admission: Admission, size: int, seconds: float) -> None:
        self._admission, self._size, self._seconds = admission, size, seconds
        self._count = 0

    async def __aenter__(self) -> None:
        self._count = await self._admission.enter(self._size, self._seconds)

    async def __aexit__(self, *_: object) -> None:
        self._admission.leave(self._count)


class Streams:
    """Admits streams: a bounded number of heavy ones, and every watch. A method that is not in the table is heavy."""

    def __init__(
        self, kinds: StreamTable | None = None, slots: int = STREAM_SLOTS, seconds: float = STREAM_SECONDS
    ) -> None:
        self.admission = Admission(slots, seconds)
        self._kinds = kinds or {}

    @contextlib.asynccontextmanager
    async def slot(self, method: str, seconds: float | None) -> AsyncIterator[None]:
        """Holds the slot that the stream needs while the block runs. `seconds` is the time until its deadline, if any.

        Raises:
            Stopping: The server is stopping.
            Overloaded: No slot became free in time.
            TimeoutError: The deadline of the call has passed.
        """
        if self._kinds.get(method) is StreamKind.WATCH:
            await self.admission.check()
            yield
        else:
            async with self.admission.slot(0, float("inf") if seconds is None else seconds):
                yield


def _overloaded() -> Overloaded:
    # Jitter: callers that are refused together should not retry together.
    return Overloaded(RETRY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 (jitter, not security)
