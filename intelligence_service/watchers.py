"""Shares one stream of changes per process among all watchers.

Guarantee: a watcher receives each change that it wants once, in the order of the commits, or an error. A watcher that
reads too slowly is cut off; nobody waits for it. All watchers share one stream; only a watcher that resumes reads a
stream of its own, until it has caught up.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field

from intelligence_service import metrics
from intelligence_service.domain.insight import Insight
from intelligence_service.domain.watch import Interest, LeadChange, ResumeTokenExpired, TooManyWatchers, WatcherTooSlow
from intelligence_service.ports import LeadChanges, StreamPosition
from intelligence_service.usecases import Intelligence
from shared.deadlines import deadline
from shared.rpc.errors import Stopping

MAX_WATCHERS = 1_000
"""Watchers per process."""
MAX_WAITING = 1_000
"""Updates that can wait for one watcher."""
MAX_BATCH = 500
"""Changes whose insights are fetched in one call."""
MAX_CATCHING_UP = 4
"""Watchers that can read a stream of their own at the same time."""
INSIGHT_SECONDS = 5.0
"""Deadline for fetching the insights of a batch."""


@dataclass(frozen=True, slots=True)
class WatchUpdate:
    """What a watcher receives: a resume token, and the change before it with the current insight into the lead."""

    token: str
    change: LeadChange | None = None
    insight: Insight | None = None


@dataclass(eq=False, slots=True)
class _Watcher:
    """The updates that wait for a watcher, or the error that ended its watch."""

    interest: Interest
    waiting: deque[WatchUpdate] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    failure: BaseException | None = None

    def offer(self, update: WatchUpdate) -> None:
        """Queues an update; cuts the watcher off when too many wait."""
        self.waiting.append(update)
        if len(self.waiting) > MAX_WAITING:
            self.fail(WatcherTooSlow())
        self.woken.set()

    def fail(self, failure: BaseException) -> None:
        """Ends the watch with an error and drops the updates that wait."""
        self.failure = failure
        self.waiting.clear()
        self.woken.set()

    async def next(self) -> WatchUpdate:
        """Returns the next update, or raises the error that ended the watch."""
        while not self.waiting:
            if self.failure:
                raise self.failure
            self.woken.clear()
            await self.woken.wait()
        return self.waiting.popleft()


class Watchers:
    """Lets callers watch changes. Use and close it in one event loop."""

    def __init__(self, changes: LeadChanges, intelligence: Intelligence) -> None:
        self._changes = changes
        self._intelligence = intelligence
        self._watchers: set[_Watcher] = set()
        self._catching_up = asyncio.Semaphore(MAX_CATCHING_UP)
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._shared_position: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def watch(self, interest: Interest, token: str) -> AsyncGenerator[WatchUpdate, None]:
        """Yields an update without a change at once, then one for each change that is wanted.

        Starts after the token, or now if the token is empty.

        Raises:
            TooManyWatchers: This process already has `MAX_WATCHERS` watchers.
            WatcherTooSlow: The caller reads more slowly than changes arrive.
            ResumeTokenExpired: The changes after the token are no longer available.
            InvalidArgument: The token is malformed.
            Stopping: This process is stopping; the caller can resume at another one with the last token.
        """
        if len(self._watchers) >= MAX_WATCHERS:
            raise TooManyWatchers(MAX_WATCHERS)
        watcher = _Watcher(interest)
        self._watchers.add(watcher)
        metrics.WATCHERS.inc()
        try:
            seen = await self._position()
            if not token:
                yield WatchUpdate(seen)
            else:
                async with contextlib.aclosing(self._catch_up(interest, token, seen)) as missed:
                    async for update in missed:
                        yield update
            seen = max(seen, token)
            while True:
                update = await watcher.next()
                if update.token > seen:
                    yield update
        finally:
            self._watchers.discard(watcher)
            metrics.WATCHERS.dec()
            if not self._watchers:
                await self.aclose()

    def stop(self) -> None:
        """Ends every watch with `Stopping`."""
        self._is_stopping = True
        if self._task:
            self._task.cancel()
        self._fail(Stopping())

    async def aclose(self) -> None:
        """Stops reading the stream."""
        task, self._task = self._task, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _position(self) -> str:
        """Returns the token up to which the stream has been shared; later changes are offered to all watchers."""
        if self._task is None or self._task.done():
            self._shared_position = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(self._shared_position)

    async def _catch_up(self, interest: Interest, token: str, until: str) -> AsyncGenerator[WatchUpdate, None]:
        cursor, begun = token, False
        while not begun or cursor < until:
            if self._is_stopping:
                raise Stopping
            # The semaphore is released before the yields below: a slow caller must not block others from catching up.
            async with self._catching_up:
                cursor, wanted = await self._missed(interest, cursor, until)
                updates = await self._updates(wanted)
            if not begun:  # the first read has proved that the token is valid
                yield WatchUpdate(token)
                begun = True
            for update in updates:
                yield update

    async def _missed(self, interest: Interest, token: str, until: str) -> tuple[str, list[StreamPosition]]:
        """Reads at most `MAX_BATCH` changes after `token` and up to `until`.

        Returns the token after the last one read, and the wanted changes. When nothing is left, the token is at or
        after `until`.
        """
        wanted: list[StreamPosition] = []
        count = 0
        async with contextlib.aclosing(self._changes.after(token)) as stream:
            async for seen in stream:
                count += 1
                if seen.change and seen.token <= until and interest.wants(seen.change):
                    wanted.append(seen)
                if seen.token >= until or count == MAX_BATCH:
                    return max(seen.token, token), wanted
        raise ResumeTokenExpired  # the stream ended because the collection was dropped

    async def _run(self) -> None:
        arrived: asyncio.Queue[StreamPosition] = asyncio.Queue(MAX_BATCH)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(arrived))
                group.create_task(self._share(arrived))
        except* Exception as errors:  # noqa: BLE001 (every watcher raises it)
            self._fail(_first(errors))

    async def _read(self, arrived: "asyncio.Queue[StreamPosition]") -> None:
        async for seen in self._changes.after(""):
            await arrived.put(seen)
        raise ResumeTokenExpired  # the stream ended because the collection was dropped

    async def _share(self, arrived: "asyncio.Queue[StreamPosition]") -> None:
        while True:
            batch = [await arrived.get()]
            if self._shared_position.done():
                # A watcher that joins now waits for the next position: it is not considered for this batch.
                self._shared_position = asyncio.get_running_loop().create_future()
            while not arrived.empty():
                batch.append(arrived.get_nowait())
            for update in await self._updates(self._wanted(batch)):
                for watcher in list(self._watchers):
                    if watcher.failure is None and update.change and watcher.interest.wants(update.change):
                        watcher.offer(update)
            self._shared_position.set_result(batch[-1].token)

    def _wanted(self, batch: Iterable[StreamPosition]) -> list[StreamPosition]:
        interests = [watcher.interest for watcher in self._watchers]
        return [seen for seen in batch if seen.change and any(each.wants(seen.change) for each in interests)]

    async def _updates(self, batch: Sequence[StreamPosition]) -> list[WatchUpdate]:
        lead_ids = list(dict.fromkeys(seen.change.lead_id for seen in batch if seen.change))
        if not lead_ids:
            return []
        with deadline(INSIGHT_SECONDS):
            found, _ = await self._intelligence.batch(lead_ids, None)
        insights = {insight.facts.lead_id: insight for insight in found}
        return [
            WatchUpdate(seen.token, seen.change, insights.get(seen.change.lead_id)) for seen in batch if seen.change
        ]

    def _fail(self, error: BaseException) -> None:
        for watcher in self._watchers:
            watcher.fail(error)
        if not self._shared_position.done():
            self._shared_position.set_exception(error)
            self._shared_position.exception()  # marks the error as retrieved, in case nobody awaits the future


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
