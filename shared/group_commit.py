"""Group commit: combines concurrent single writes into one.

Guarantee: each caller gets the result of its own item once it is durable; no write waits for a timer.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.deadlines import deadline

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """Writes single items together: the next group is what arrived while the last one was being written.

    There is no timer, so a write in an idle system starts at once. `write` gets at most `limit` items, must finish
    within `seconds`, and returns one result per item, in order.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, limit: int, seconds: float) -> None:
        self._write_items = write
        self._limit = limit
        self._seconds = seconds
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._writer: asyncio.Task[None] | None = None
        # A group outlives the call that began it, so the writer must not inherit that call's deadline.
        self._context = contextvars.copy_context()

    async def add(self, item: T) -> R:
        """Writes one item in the next group; returns its result when it is durable.

        Cancelling the caller withdraws the item, unless its write has begun.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), context=self._context)
        return await future

    async def _write(self) -> None:
        try:
            while self._waiting:
                # Callers that are ready to run still join the group, which doubles it under load and is free otherwise.
                await asyncio.sleep(0)
                group, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._write_group([(item, future) for item, future in group if not future.done()])
        finally:
            self._writer = None

    async def _write_group(self, group: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        if not group:
            return
        try:
            with deadline(self._seconds):
                results = await self._write_items([item for item, _ in group])
            for (_, future), result in zip(group, results, strict=True):
                if not future.done():
                    future.set_result(result)
        except Exception as error:  # noqa: BLE001 (passed on to the callers)
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
