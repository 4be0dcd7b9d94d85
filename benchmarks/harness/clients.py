"""Client processes: they play the callers, so that a measurement does not wait for its own clients.

A client prepares (builds its requests, connects), waits until all others are ready, then runs.
"""

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Barrier
from types import TracebackType
from typing import Generic, Self, TypeVar

from benchmarks.harness.options import say

MAX_CLIENTS = 4
READY_SECONDS = 120.0

T = TypeVar("T")
Ready = Callable[[], None]
"""Waits until all clients of the measurement are ready."""

_barriers: dict[int, Barrier] = {}


@dataclass(frozen=True, slots=True)
class Ran(Generic[T]):
    """The result of one client, and when it ran, in seconds of the monotonic clock of this machine."""

    began: float
    ended: float
    result: T


class Clients:
    """A pool of client processes; close it to end them."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        barriers = {count: context.Barrier(count) for count in range(1, MAX_CLIENTS + 1)}
        self._pool = ProcessPoolExecutor(MAX_CLIENTS, context, initializer=partial(_remember, barriers))

    def start(self, work: Callable[..., T], count: int, *arguments: object) -> list["Future[Ran[T]]"]:
        """Starts `work(ready, number, count, *arguments)` in `count` processes; `number` counts from 0."""
        return [self._pool.submit(_run, work, number, count, arguments) for number in range(count)]

    def run(self, work: Callable[..., T], count: int, *arguments: object) -> list[Ran[T]]:
        """Does the same, and waits for the results."""
        return [each.result() for each in self.start(work, count, *arguments)]

    def rate(self, items: int, work: Callable[..., int], count: int, *arguments: object) -> float:
        """Does the same, and returns the items per second; `work` returns how many of its calls were refused."""
        runs = self.run(work, count, *arguments)
        refusals = sum(each.result for each in runs)
        if refusals:
            say(f"the server refused {refusals:,} calls, which were repeated")
        return items / seconds(runs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


def seconds(runs: Sequence[Ran[T]]) -> float:
    """Returns the seconds from the first beginning to the last end."""
    return max(each.ended for each in runs) - min(each.began for each in runs)


def _remember(barriers: Mapping[int, Barrier]) -> None:
    _barriers.update(barriers)


def _run(work: Callable[..., T], number: int, count: int, arguments: Sequence[object]) -> Ran[T]:
    began = time.monotonic()

    def ready() -> None:
        nonlocal began
        _barriers[count].wait(READY_SECONDS)
        began = time.monotonic()

    result = work(ready, number, count, *arguments)
    return Ran(began, time.monotonic(), result)
