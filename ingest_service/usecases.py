"""One function per RPC: check, store, ring."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest_service.domain.event import (
    MOST_EVENTS,
    Event,
    EventIdConflict,
    InvalidBatch,
    InvalidEvent,
    check_event,
)
from ingest_service.ports import Bell, EventStore, Stored
from shared.calls import deadline

Outcome = Stored | InvalidEvent | EventIdConflict
"""What became of one event: NEW, SAME, or why it was refused."""


class GroupCommit:
    """Writes single events together: the next group is what arrived while the last one was being written.

    There is no timer, so an idle system waits for nothing.
    """

    def __init__(self, put: Callable[[Sequence[Event]], Awaitable[list[Stored]]], *, seconds: float) -> None:
        self._put = put
        self._seconds = seconds
        self._waiting: list[tuple[Event, asyncio.Future[Stored]]] = []
        self._writer: asyncio.Task[None] | None = None
        # A group outlives the call that began it, so the writer must not inherit that call's deadline.
        self._context = contextvars.copy_context()

    async def add(self, event: Event) -> Stored:
        """Stores one event together with its contemporaries; returns when it is durable.

        A caller that is cancelled takes its event back before the write begins; from then on it does not.
        """
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), context=self._context)
        return await future

    async def _write(self) -> None:
        try:
            while self._waiting:
                # What the loop has ready now still joins the group: under load it doubles, idle it costs nothing.
                await asyncio.sleep(0)
                group, self._waiting = self._waiting[:MOST_EVENTS], self._waiting[MOST_EVENTS:]
                await self._write_group([(event, future) for event, future in group if not future.done()])
        finally:
            self._writer = None

    async def _write_group(self, group: Sequence[tuple[Event, asyncio.Future[Stored]]]) -> None:
        if not group:
            return
        try:
            with deadline(self._seconds):
                stored = await self._put([event for event, _ in group])
        except Exception as error:  # noqa: BLE001 (it belongs to those who wait)
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), each in zip(group, stored, strict=True):
                if not future.done():
                    future.set_result(each)


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use cases, with what they need."""

    store: EventStore
    group: GroupCommit
    bell: Bell
    clock: Callable[[], datetime]

    async def one(self, event: Event) -> Stored:
        """Stores one event and returns NEW or SAME.

        Raises:
            InvalidEvent: It breaks a limit.
            EventIdConflict: Its id stands for another event.
        """
        check_event(event, self.clock())
        stored = await self.group.add(event)
        if stored is Stored.OTHER:
            raise EventIdConflict(event.event_id)
        if stored is Stored.NEW:
            self.bell.ring([self.store.partition_of(event.lead_id)])
        return stored

    async def batch(self, events: Sequence[Event]) -> list[Outcome]:
        """Stores those of the events that are well-formed and returns one outcome per event, in order.

        Raises:
            InvalidBatch: There is no event, or there are more than `MOST_EVENTS`.
        """
        if not 1 <= len(events) <= MOST_EVENTS:
            raise InvalidBatch(len(events))
        now = self.clock()
        flaws = [_flaw(event, now) for event in events]
        sound = [event for event, flaw in zip(events, flaws, strict=True) if flaw is None]
        # A caller that goes away must not tear the write.
        stored = iter(await asyncio.shield(self.store.put(sound)) if sound else ())
        outcomes = [flaw or _outcome(event, next(stored)) for event, flaw in zip(events, flaws, strict=True)]
        self.bell.ring(
            self.store.partition_of(event.lead_id)
            for event, outcome in zip(events, outcomes, strict=True)
            if outcome is Stored.NEW
        )
        return outcomes


def _flaw(event: Event, now: datetime) -> InvalidEvent | None:
    try:
        check_event(event, now)
    except InvalidEvent as flaw:
        return flaw
    return None


def _outcome(event: Event, stored: Stored) -> Outcome:
    return EventIdConflict(event.event_id) if stored is Stored.OTHER else stored
