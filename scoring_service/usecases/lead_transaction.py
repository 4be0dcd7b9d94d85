"""Updates one lead, however long its history is.

It reads and folds outside of the transaction, over one snapshot. The transaction only checks that the lead, its
partition and its pending events have not changed since, and writes. So a lead with a long history does not block its
partition, and its transaction is as short as that of any other lead.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.errors import LeadNotFound
from scoring_service.domain.history import HistoryBuilder
from scoring_service.domain.lead import Lead, LeadUpdate, Standing
from scoring_service.domain.model import Event
from scoring_service.domain.refold import Refold
from scoring_service.domain.timeline import Position, Timeline
from scoring_service.ports import Doorbell
from scoring_service.store.batches import AppendBatch
from scoring_service.store.facts import FactReader
from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.history_writer import Clock, HistoryWriter
from shared.rpc.errors import TooLarge

MAX_REPLAY_FACTS = 2_000_000
"""Recorded facts that one update may fold again: about 30 seconds of work, and 8,000 checkpoints to write."""
MAX_ATTEMPTS = 8
"""Attempts at one update; each retry means that another transaction changed the lead in the meantime."""
PAUSE_SECONDS = 0.02
"""Pause after the first overtaken attempt; it doubles after each further one."""

Steps = Callable[[HistoryBuilder, Standing, Timeline], Iterator[Refold]]


class Overtaken(TimeoutError):
    """Other transactions changed the lead during every attempt; a later call can succeed."""


@dataclass(frozen=True, slots=True)
class _Read:
    """The state that an update was computed from."""

    lead: Lead
    standing: Standing
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class LeadTransaction:
    """Updates one lead per transaction."""

    lead_writer: LeadWriter
    fact_reader: FactReader
    doorbell: Doorbell
    calendar: Calendar
    clock: Clock

    async def record(self, lead_id: str, events: Sequence[Event], rows: Sequence[Any]) -> LeadUpdate | None:
        """Scores events of a lead and marks their inbox rows; returns None if some have been scored by another worker.

        Raises:
            TooLarge: The update would have to fold more than `MAX_REPLAY_FACTS` recorded facts again.
            Overtaken: Other transactions changed the lead during every attempt.
        """

        def steps(builder: HistoryBuilder, standing: Standing, timeline: Timeline) -> Iterator[Refold]:
            return builder.record(map(timeline.judge, events), standing)

        async def is_due() -> bool:
            return not rows or await self.lead_writer.are_pending(rows)

        return await self.run(lead_id, steps, is_due=is_due, rows=rows)

    async def catch_up(self, lead_id: str) -> LeadUpdate | None:
        """Applies the ticks and the publication of its partition to a lead; returns None if the lead does not exist.

        Raises: see `record`.
        """
        try:
            return await self.record(lead_id, (), ())
        except LeadNotFound:
            return None

    async def run(
        self,
        lead_id: str,
        steps: Steps,
        *,
        is_due: Callable[[], Awaitable[bool]],
        rows: Sequence[Any] = (),
    ) -> LeadUpdate | None:
        """Applies steps of a builder to a lead, commits the update and returns it.

        `is_due` runs before anything is folded, and again inside the transaction; if it returns False, nothing is
        written and `run` returns None.

        Raises:
            LeadNotFound: The lead has no history and there is nothing to score.
            TooLarge, Overtaken: See `record`.
        """
        for attempt in range(MAX_ATTEMPTS):
            async with self.lead_writer.snapshot():
                if not await is_due():
                    return None
                read = await self._read(lead_id)
                if not read.lead.sequence and not rows:
                    raise LeadNotFound(lead_id)
                writer = HistoryWriter(self.fact_reader, read.timeline, self.calendar, self.clock())
                builder = writer.builder(read.lead)
                for refold in steps(builder, read.standing, read.timeline):
                    await self._check_size(writer, read.lead, refold.before)
                    await writer.feed(lead_id, refold)
            update = builder.update()
            batch = writer.batch([update], rows)
            committed, doorbells = await self.lead_writer.transact(partial(self._commit, read, batch, is_due))
            self.doorbell.ring(doorbells)
            if committed is not None:
                return update if committed else None
            await asyncio.sleep(PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 (no secret)
        raise Overtaken(
            f"other transactions changed lead {lead_id!r} during each of {MAX_ATTEMPTS} attempts; retry later"
        )

    async def _read(self, lead_id: str) -> _Read:
        standing = await self.lead_writer.standing(self.lead_writer.partition_of(lead_id))
        lead = (await self.lead_writer.leads([lead_id])).get(lead_id) or Lead(lead_id)
        return _Read(lead, standing, await self.lead_writer.timeline(standing.publication))

    async def _check_size(self, writer: HistoryWriter, lead: Lead, since: Position) -> None:
        work = await writer.work_of(lead, since)
        if work > MAX_REPLAY_FACTS:
            raise TooLarge(
                f"lead {lead.lead_id!r}: {work:,} recorded events would have to be replayed, the limit is "
                f"{MAX_REPLAY_FACTS:,}; send its events in the order of their times, or use several lead ids"
            )

    async def _commit(
        self, read: _Read, batch: AppendBatch, is_due: Callable[[], Awaitable[bool]]
    ) -> tuple[bool | None, set[int]]:
        """Appends the batch; returns None if the lead or its partition has changed, False if the update is not due."""
        if not await is_due():
            return False, set()
        standing = await self.lead_writer.take_lead(read.lead.lead_id)
        lead = (await self.lead_writer.leads([read.lead.lead_id])).get(read.lead.lead_id) or Lead(read.lead.lead_id)
        if (standing, lead) != (read.standing, read.lead):
            return None, set()
        return True, await self.lead_writer.append(batch)
