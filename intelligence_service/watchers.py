"""Watching: one stream of changes per process, and any number of watchers at it.

Guarantee: a watcher sees each change that it wants, once and in the order of the commits, or is told that it does not:
it is cut off when it reads too slowly, and nobody waits for it. However many watch, one stream is read; only a watcher
that resumes reads one of its own, until it has caught up.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field

from intelligence_service.domain.insight import Insight
from intelligence_service.domain.watch import Interest, LeadChange, ResumeTokenExpired, TooManyWatchers, WatcherTooSlow
from intelligence_service.ports import LeadChanges, StreamPosition
from intelligence_service.usecases import Intelligence
from shared.deadlines import deadline
from shared.rpc.errors import Stopping

MAX_WATCHERS = 1_000
"""Watchers of a process."""
MAX_WAITING = 1_000
"""Changes that wait for one watcher to read them."""
MAX_TOGETHER = 500
"""Changes whose insights are asked for together."""
CATCHING_UP = 4
"""Watchers that read a stream of their own at a time."""
ASK_SECONDS = 5.0
"""Longest time to ask for the insights of what came together."""


@dataclass(frozen=True, slots=True)
class WatchUpdate:
    """What a watcher sees: a place, and the change that it lies behind, with the insight into the lead as it is now."""

    token: str
    change: LeadChange | None = None
    insight: Insight | None = None


@dataclass(eq=False, slots=True)
class _Watcher:
    """What waits for a watcher, or why nothing more will come."""

    interest: Interest
    waiting: deque[WatchUpdate] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    failure: BaseException | None = None

    def offer(self, update: WatchUpdate) -> None:
        """Lets the watcher have a update; cuts it off when it has too many."""
        self.waiting.append(update)
        if len(self.waiting) > MAX_WAITING:
            self.fail(WatcherTooSlow())
        self.woken.set()

    def fail(self, failure: BaseException) -> None:
        """Lets the watcher have nothing more."""
        self.failure = failure
        self.waiting.clear()
        self.woken.set()

    async def next(self) -> WatchUpdate:
        """Returns the next update, or raises why there is none."""
        while not self.waiting:
            if self.failure:
                raise self.failure
            self.woken.clear()
            await self.woken.wait()
        return self.waiting.popleft()


class Watchers:
    """Lets callers watch. To be used in one event loop, and closed there."""

    def __init__(self, changes: LeadChanges, intelligence: Intelligence) -> None:
        self._changes = changes
        self._intelligence = intelligence
        self._watchers: set[_Watcher] = set()
        self._catching_up = asyncio.Semaphore(CATCHING_UP)
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._place: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def watch(self, interest: Interest, token: str) -> AsyncGenerator[WatchUpdate, None]:
        """Yields a update without a change at once, then one for each change that is wanted.

        They are those from now on, or those behind a token if it is not empty.

        Raises:
            TooManyWatchers: There are as many as there may be.
            WatcherTooSlow: This one does not keep up.
            ResumeTokenExpired: What came behind the token is no longer known.
            InvalidArgument: It is no token.
            Stopping: This process ends; whoever watches goes on at another one, after the last token.
        """
        if len(self._watchers) >= MAX_WATCHERS:
            raise TooManyWatchers(MAX_WATCHERS)
        watcher = _Watcher(interest)
        self._watchers.add(watcher)
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
            if not self._watchers:
                await self.aclose()

    def stop(self) -> None:
        """Ends every watch: it raises `Stopping`."""
        self._is_stopping = True
        if self._task:
            self._task.cancel()
        self._fail(Stopping())

    async def aclose(self) -> None:
        """Ends the stream."""
        task, self._task = self._task, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _position(self) -> str:
        """Returns the place up to which the stream has been shared; what follows is offered to who is there."""
        if self._task is None or self._task.done():
            self._place = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(self._place)

    async def _catch_up(self, interest: Interest, token: str, until: str) -> AsyncGenerator[WatchUpdate, None]:
        place, begun = token, False
        while not begun or place < until:
            if self._is_stopping:
                raise Stopping
            # Nobody holds a place among those that catch up while it waits for its caller to read.
            async with self._catching_up:
                place, wanted = await self._missed(interest, place, until)
                updates = await self._sights(wanted)
            if not begun:  # so the token is a good one
                yield WatchUpdate(token)
                begun = True
            for update in updates:
                yield update

    async def _missed(self, interest: Interest, token: str, until: str) -> tuple[str, list[StreamPosition]]:
        """Reads a piece of what lies behind a token, and not beyond a place: returns its end, and what is wanted of it.

        The end is the place itself, or beyond it, when nothing is left.
        """
        wanted: list[StreamPosition] = []
        count = 0
        async with contextlib.aclosing(self._changes.after(token)) as stream:
            async for seen in stream:
                count += 1
                if seen.change and seen.token <= until and interest.wants(seen.change):
                    wanted.append(seen)
                if seen.token >= until or count == MAX_TOGETHER:
                    return max(seen.token, token), wanted
        raise ResumeTokenExpired  # the collection is gone, and the stream with it

    async def _run(self) -> None:
        arrived: asyncio.Queue[StreamPosition] = asyncio.Queue(MAX_TOGETHER)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(arrived))
                group.create_task(self._share(arrived))
        except* Exception as errors:  # noqa: BLE001 (every watcher raises it)
            self._fail(_first(errors))

    async def _read(self, arrived: "asyncio.Queue[StreamPosition]") -> None:
        async for seen in self._changes.after(""):
            await arrived.put(seen)
        raise ResumeTokenExpired  # the collection is gone, and the stream with it

    async def _share(self, arrived: "asyncio.Queue[StreamPosition]") -> None:
        while True:
            together = [await arrived.get()]
            if self._place.done():
                # Who comes now waits for the next place: what is wanted is decided without it.
                self._place = asyncio.get_running_loop().create_future()
            while not arrived.empty():
                together.append(arrived.get_nowait())
            for update in await self._sights(self._wanted(together)):
                for watcher in list(self._watchers):
                    if watcher.failure is None and update.change and watcher.interest.wants(update.change):
                        watcher.offer(update)
            self._place.set_result(together[-1].token)

    def _wanted(self, together: Iterable[StreamPosition]) -> list[StreamPosition]:
        interests = [watcher.interest for watcher in self._watchers]
        return [seen for seen in together if seen.change and any(each.wants(seen.change) for each in interests)]

    async def _sights(self, together: Sequence[StreamPosition]) -> list[WatchUpdate]:
        lead_ids = list(dict.fromkeys(seen.change.lead_id for seen in together if seen.change))
        if not lead_ids:
            return []
        with deadline(ASK_SECONDS):
            found, _ = await self._intelligence.batch(lead_ids, None)
        insights = {insight.facts.lead_id: insight for insight in found}
        return [
            WatchUpdate(seen.token, seen.change, insights.get(seen.change.lead_id)) for seen in together if seen.change
        ]

    def _fail(self, error: BaseException) -> None:
        for watcher in self._watchers:
            watcher.fail(error)
        if not self._place.done():
            self._place.set_exception(error)
            self._place.exception()  # whoever waits for it is told; nobody need be


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
