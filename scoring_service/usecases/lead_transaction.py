"""One lead is updated, however long its past is.

Reading and folding happen outside of the transaction, over one snapshot. The transaction only checks that the lead, its
partition and the events to score are still what was read, and writes. So a lead with a long past never holds its
partition up, and needs no more time inside a transaction than any other.
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
"""Recorded facts that are folded anew for one update: half a minute of work, and 8,000 checkpoints to write."""
MAX_ATTEMPTS = 8
"""Attempts at one update; each one but the first means that somebody else changed the lead meanwhile."""
PAUSE_SECONDS = 0.02
"""Wait after the first attempt that was overtaken; each further one doubles it."""

Steps = Callable[[HistoryBuilder, Standing, Timeline], Iterator[Refold]]


class Overtaken(TimeoutError):
    """The lead was changed by others at every attempt; the same update can succeed later."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What an update rests on."""

    lead: Lead
    standing: Standing
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class LeadTransaction:
    """Updates single leads."""

    lead_writer: LeadWriter
    fact_reader: FactReader
    doorbell: Doorbell
    calendar: Calendar
    clock: Clock

    async def record(self, lead_id: str, events: Sequence[Event], rows: Sequence[Any]) -> LeadUpdate | None:
        """Scores events of a lead and marks their rows; None when somebody else has scored some of them.

        Raises:
            TooLarge: More of the lead's past than `MAX_REPLAY_FACTS` would have to be folded anew.
            Overtaken: Others changed the lead at every attempt.
        """

        def steps(builder: HistoryBuilder, standing: Standing, timeline: Timeline) -> Iterator[Refold]:
            return builder.record(map(timeline.judge, events), standing)

        async def is_due() -> bool:
            return not rows or await self.lead_writer.still_waiting(rows)

        return await self.run(lead_id, steps, is_due=is_due, rows=rows)

    async def catch_up(self, lead_id: str) -> LeadUpdate | None:
        """Brings a lead to where its partition stands; None when there is no such lead.

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
        """Commits what some steps of a builder make of a lead, and returns it.

        `is_due` is asked inside the transaction; None is returned when it is not.

        Raises:
            LeadNotFound: Nothing of the lead was scored, and there is nothing to score now.
            TooLarge, Overtaken: See `record`.
        """
        for attempt in range(MAX_ATTEMPTS):
            async with self.lead_writer.snapshot():
                read = await self._read(lead_id)
                if not read.lead.sequence and not rows:
                    raise LeadNotFound(lead_id)
                writer = HistoryWriter(self.fact_reader, read.timeline, self.calendar, self.clock())
                builder = writer.builder(read.lead)
                for refold in steps(builder, read.standing, read.timeline):
                    await self._check_size(writer, read.lead, refold.before)
                    await writer.feed(lead_id, refold)
            update = builder.update()
            commit = writer.commit([update], rows)
            outcome, rung = await self.lead_writer.transact(partial(self._commit, read, commit, is_due))
            self.doorbell.ring(rung)
            if outcome is not None:
                return update if outcome else None
            await asyncio.sleep(PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 (no secret)
        raise Overtaken(f"lead {lead_id!r} was changed by others at each of {MAX_ATTEMPTS} attempts")

    async def _read(self, lead_id: str) -> _Read:
        standing = await self.lead_writer.standing(self.lead_writer.partition_of(lead_id))
        lead = (await self.lead_writer.leads([lead_id])).get(lead_id) or Lead(lead_id)
        return _Read(lead, standing, await self.lead_writer.timeline(standing.publication))

    async def _check_size(self, writer: HistoryWriter, lead: Lead, since: Position) -> None:
        work = await writer.work_of(lead, since)
        if work > MAX_REPLAY_FACTS:
            raise TooLarge(
                f"{work:,} recorded events of lead {lead.lead_id!r} would have to be folded anew, more than "
                f"{MAX_REPLAY_FACTS:,}: send its events in the order of their times, or under several lead ids"
            )

    async def _commit(
        self, read: _Read, commit: AppendBatch, is_due: Callable[[], Awaitable[bool]]
    ) -> tuple[bool | None, set[int]]:
        """Writes, unless what was read has changed (None) or it is not due any more (False)."""
        if not await is_due():
            return False, set()
        standing = await self.lead_writer.take_lead(read.lead.lead_id)
        lead = (await self.lead_writer.leads([read.lead.lead_id])).get(read.lead.lead_id) or Lead(read.lead.lead_id)
        if (standing, lead) != (read.standing, read.lead):
            return None, set()
        return True, await self.lead_writer.append(commit)
