"""Child processes that do work for their parent.

Guarantee: they start when there is work, use no CPU while there is none, and stop after `IDLE_SECONDS` without work.
They end with their parent, however it ends, because they read from a pipe that ends with it. Work whose process is
killed raises `ProcessEnded`; the next work gets a new process.

Both directions carry frames: the length in four bytes, and a pickle. A process does one piece of work at a time. An
empty frame cancels it.
"""

import asyncio
import contextlib
import os
import pickle
import struct
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Self, TypeVar, cast

from scoring_service.metrics import HELPER_FAILURES

IDLE_SECONDS = 60.0
"""Time without work after which the processes stop."""
CANCEL_SECONDS = 10.0
"""Longest time for work to end after it was cancelled; then its process is killed."""

T = TypeVar("T")
Work = Callable[[Any], Awaitable[T]]
"""An async function of the resources of its process. It must be picklable, and so must its result."""
_LENGTH = struct.Struct(">I")
_CANCEL = _LENGTH.pack(0)


class ProcessEnded(ConnectionError):
    """A child process was killed while it worked; the same work can succeed in another one."""

    def __init__(self) -> None:
        super().__init__("a child process ended while it worked; retry")


@dataclass(frozen=True, slots=True)
class _Raised:
    """An exception as its parts, because many exceptions have constructors with which pickle cannot restore them."""

    kind: type[Exception]
    arguments: tuple[Any, ...]
    attributes: dict[str, Any]

    def error(self) -> Exception:
        """Returns the exception."""
        error = self.kind.__new__(self.kind, *self.arguments)
        error.__dict__.update(self.attributes)
        return error


class Processes:
    """Up to `count` child processes, each of which runs `command`, which calls `work_for_parent`.

    Use it as a context manager; at the end it kills the processes.
    """

    def __init__(self, command: Sequence[str], count: int) -> None:
        self.count = count
        self._command = command
        self._slots = asyncio.Semaphore(count)
        self._children: set[_Child] = set()
        self._stop: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keep()
        for child in list(self._children):
            await child.kill()

    def pids(self) -> list[int]:
        """Returns the ids of the processes that run; may be called from any thread."""
        return [child.pid for child in list(self._children) if child.is_running]

    async def run(self, work: Work[T]) -> T:
        """Runs work in one of the processes and returns its result.

        Raises:
            ProcessEnded: The process was killed.
            Exception: What the work raised.
        """
        async with self._slots:
            self._keep()
            child = self._idle()[0] if self._idle() else await self._start()
            try:
                return await child.run(work)
            finally:
                if not child.is_idle:
                    self._children.discard(child)
                    await child.kill()
                self._keep()
                self._stop = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._stop_idle)

    async def _start(self) -> "_Child":
        pipe = asyncio.subprocess.PIPE
        child = _Child(await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe))
        self._children.add(child)
        return child

    def _idle(self) -> "list[_Child]":
        return [child for child in self._children if child.is_idle]

    def _keep(self) -> None:
        if self._stop:
            self._stop.cancel()

    def _stop_idle(self) -> None:
        for child in self._idle():
            self._children.discard(child)
            child.end()


class _Child:
    """A child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._is_busy = False
        self._process = process
        self._writer = cast("asyncio.StreamWriter", process.stdin)
        self._reader = cast("asyncio.StreamReader", process.stdout)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    @property
    def is_idle(self) -> bool:
        """Whether the process runs and has no work."""
        return self.is_running and not self._is_busy

    async def run(self, work: Work[T]) -> T:
        """Runs work; if the caller is cancelled, cancels the work, and waits until it has ended."""
        self._is_busy = True
        answering = asyncio.create_task(self._exchange(work))
        try:
            answer = await asyncio.shield(answering)
        except asyncio.CancelledError:
            self._writer.write(_CANCEL)
            await asyncio.wait([answering], timeout=CANCEL_SECONDS)
            answering.cancel()
            outcomes = await asyncio.gather(answering, return_exceptions=True)
            self._is_busy = isinstance(outcomes[0], BaseException)
            raise
        self._is_busy = False
        if isinstance(answer, _Raised):
            raise answer.error()
        return cast("T", answer)

    def end(self) -> None:
        """Lets the idle process end."""
        self._writer.close()

    async def kill(self) -> None:
        """Kills the process."""
        self._writer.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _exchange(self, work: Work[Any]) -> object:
        try:
            self._writer.write(_frame(work))
            await self._writer.drain()
            answer = await _receive(self._reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            HELPER_FAILURES.inc()
            raise ProcessEnded from None
        return answer


async def work_for_parent(resources: object) -> None:
    """Does the work that arrives on standard input, until the parent closes it or ends.

    Standard output carries the results; anything else that is printed goes to standard error.
    """
    reader, answers = await _standard_streams()
    with contextlib.suppress(asyncio.IncompleteReadError, BrokenPipeError):
        incoming = asyncio.create_task(_receive(reader))
        while True:
            work = await incoming
            incoming = asyncio.create_task(_receive(reader))
            if work is None:
                continue  # work was cancelled that had just ended
            doing = asyncio.create_task(_outcome(work, resources))
            await asyncio.wait([doing, incoming], return_when=asyncio.FIRST_COMPLETED)
            if incoming.done():  # the work is cancelled, or the parent has ended
                doing.cancel()
                await asyncio.wait([doing])
            answers.write(_frame(None if doing.cancelled() else doing.result()))
            answers.flush()


async def _outcome(work: Any, resources: object) -> object:  # noqa: ANN401 (whatever was pickled)
    try:
        return await work(resources)
    except Exception as error:  # noqa: BLE001 (the parent raises it)
        error.add_note(traceback.format_exc())
        return _Raised(type(error), error.args, error.__dict__)


def _frame(value: object) -> bytes:
    pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(pickled)) + pickled


async def _receive(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401 (whatever was pickled)
    """Returns the value of the next frame; None if it is empty."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    # Both ends are one program, and nobody else can write to the pipe.
    return pickle.loads(await reader.readexactly(length)) if length else None  # noqa: S301


async def _standard_streams() -> tuple[asyncio.StreamReader, BinaryIO]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return reader, answers
