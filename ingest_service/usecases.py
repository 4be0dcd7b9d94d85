"""One function per RPC: check, store, ring; and the watch over what waits to be scored."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest_service.domain.backlog import BacklogTooOld
from ingest_service.domain.event import Event, EventIdConflict, InvalidEvent, check_event
from ingest_service.ports import Bell, EventStore, Stored
from shared import logs
from shared.calls import deadline
from shared.groups import GroupCommit
from shared.tasks import is_cancelled, to_the_end

LOOK_SECONDS = 1.0
"""How often the backlog is looked at, and the longest that a look may take."""

Outcome = Stored | InvalidEvent | EventIdConflict
"""What became of one event: NEW, SAME, or why it was refused."""

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use cases, with what they need."""

    store: EventStore
    group: GroupCommit[Event, Stored]
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

        `check_batch` has found that there are not too many.
        """
        now = self.clock()
        flaws = [_flaw(event, now) for event in events]
        sound = [event for event, flaw in zip(events, flaws, strict=True) if flaw is None]
        # A caller that goes away must not tear the write.
        stored = iter(await to_the_end(self.store.put(sound)) if sound else ())
        outcomes = [flaw or _outcome(event, next(stored)) for event, flaw in zip(events, flaws, strict=True)]
        self.bell.ring(
            self.store.partition_of(event.lead_id)
            for event, outcome in zip(events, outcomes, strict=True)
            if outcome is Stored.NEW
        )
        return outcomes


class Backlog:
    """Refuses events while others have waited too long to be scored: then nothing is gained by taking more.

    Where it is not known how long they wait, events are taken. Ages are told by the clock that stamped the events, so
    that a clock that jumps is believed only until what it stamped is scored. A `limit` of zero is none.
    """

    def __init__(
        self, oldest: Callable[[], Awaitable[datetime | None]], clock: Callable[[], datetime], *, limit: timedelta
    ) -> None:
        self._oldest = oldest
        self._clock = clock
        self._limit = limit
        self._excess: timedelta | None = None

    def check(self) -> None:
        """Takes part in every call.

        Raises:
            BacklogTooOld: No events are taken at the moment.
        """
        if self._excess is not None:
            raise BacklogTooOld(self._excess, self._limit)

    async def watch(self) -> None:
        """Looks until it is cancelled, if there is a limit."""
        while not is_cancelled():
            if self._limit:
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Finds out whether events are to be refused from now on."""
        age = await self._age()
        was_refusing, self._excess = self._excess is not None, age if age > self._limit else None
        if self._excess is not None and not was_refusing:
            advice = "start scoring workers"
            _LOG.warning("events are refused", oldest_seconds=round(age.total_seconds()), advice=advice)
        elif self._excess is None and was_refusing:
            _LOG.info("events are taken again")

    async def _age(self) -> timedelta:
        try:
            with deadline(LOOK_SECONDS):
                oldest = await self._oldest()
        except Exception as error:  # noqa: BLE001 (whatever goes wrong, it is no reason to refuse)
            _LOG.warning("backlog unknown", error=logs.one_line(error))
            return timedelta(0)
        return self._clock() - oldest if oldest else timedelta(0)


def _flaw(event: Event, now: datetime) -> InvalidEvent | None:
    try:
        check_event(event, now)
    except InvalidEvent as flaw:
        return flaw
    return None


def _outcome(event: Event, stored: Stored) -> Outcome:
    return EventIdConflict(event.event_id) if stored is Stored.OTHER else stored
