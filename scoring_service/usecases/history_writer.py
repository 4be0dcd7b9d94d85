"""How facts and ticks become history, whatever the occasion: plan the work, read what is needed, fold, and commit.

Work is counted in facts to fold, which is what reading, folding and writing cost. Leads whose work is small are updated
together, in one transaction that reads, folds and writes. A lead that alone takes more is left to `LeadTransaction`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.history import HistoryBuilder
from scoring_service.domain.lead import Lead, LeadUpdate, Standing
from scoring_service.domain.lead_state import EMPTY, LeadState
from scoring_service.domain.model import Event
from scoring_service.domain.refold import CHECKPOINT_FACTS, Refold
from scoring_service.domain.timeline import Adjustment, Fact, Position, Timeline
from scoring_service.store.batches import AppendBatch
from scoring_service.store.facts import FactReader

MAX_WORK = 4_000
"""Facts that one transaction folds for all of its leads: about 150 ms, which is how long others wait for it."""
MAX_LEAD_WORK = 2_000
"""Facts that a transaction over several leads folds for one of them; a lead that takes more is updated alone."""
FACT_BYTES = 512
"""Bytes of a lead's attributes that cost as much to read and write as a fact costs to fold."""
COMPARED_FACTS = 2 * CHECKPOINT_FACTS
"""Fewer facts are folded sooner than the checkpoints are read that they could be compared with."""
MAX_COMPARED_BYTES = 16 * 1024 * 1024
"""Bytes of attributes that all checkpoints to compare may have together."""
INLINE_FACTS = 200
"""Facts that are folded without a thread: some 2 ms, in which the event loop does nothing else."""

TURN_LEADS = 20
"""Leads that are folded before others in the process have a turn: about 2 ms."""

Clock = Callable[[], datetime]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PendingFacts:
    """A lead, and the facts that are to be recorded for it."""

    lead: Lead
    standing: Standing
    facts: Sequence[Fact] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What one transaction is to do: the leads that fit into it, those left for the next one, and the heavy ones."""

    chosen: Sequence[PendingFacts]
    left: Sequence[PendingFacts]
    heavy: Sequence[PendingFacts]


@dataclass(frozen=True, slots=True)
class HistoryWriter:
    """Records what is pending by one timeline. All of it belongs to the transaction or snapshot that it is called in.

    `known` are facts that were read ahead, by lead.
    """

    fact_reader: FactReader
    timeline: Timeline
    calendar: Calendar
    now: datetime
    known: dict[str, list[Event | Adjustment]] = field(default_factory=dict)

    async def plan(self, pending: Iterable[PendingFacts]) -> Plan:
        """Shares out pending work, the cheapest leads first, so that what is over is cut before it is begun."""
        costs = [(await self._work(each), place, each) for place, each in enumerate(pending)]
        chosen: list[PendingFacts] = []
        left: list[PendingFacts] = []
        total = 0
        for work, _, each in sorted(costs, key=lambda cost: cost[:2]):
            if work > MAX_LEAD_WORK:
                continue
            total += work
            (chosen if total <= MAX_WORK or not chosen else left).append(each)
        return Plan(chosen, left, [each for work, _, each in costs if work > MAX_LEAD_WORK])

    async def updates(self, chosen: Sequence[PendingFacts]) -> list[LeadUpdate]:
        """Returns what is to be stored of each lead."""
        await self._read_ahead(chosen)
        updates: list[LeadUpdate] = []
        for place, each in enumerate(chosen, start=1):
            builder = self.builder(each.lead)
            for refold in builder.record(each.facts, each.standing):
                await self.feed(each.lead.lead_id, refold)
            updates.append(builder.update())
            if place % TURN_LEADS == 0:
                await asyncio.sleep(0)  # folding a batch can take long enough for others in this process to notice
        return updates

    def builder(self, lead: Lead) -> HistoryBuilder:
        """Returns a builder for a lead."""
        return HistoryBuilder(self.timeline, self.calendar, lead, self.now)

    async def feed(self, lead_id: str, refold: Refold) -> None:
        """Begins a refold, feeds it what it needs of the lead's past, and ends it."""
        if lead_id in self.known and refold.start is None:
            refold.begin(EMPTY)
            await off_the_loop(len(self.known[lead_id]), self._feed, refold, self.known[lead_id])
        else:
            start = refold.start or await self.fact_reader.checkpoint(lead_id, refold.before, refold.max_facts)
            refold.begin(start)
            if refold.needs_past:
                await self._feed_past(lead_id, refold, start)
        refold.end()

    def commit(self, updates: Sequence[LeadUpdate], rows: Sequence[Any] = ()) -> AppendBatch:
        """Returns what to commit; `rows` are those of the events that were scored."""
        return AppendBatch(updates, self.now, self.calendar.date_of(self.now).isoformat(), rows)

    async def work_of(self, lead: Lead, since: Position | None) -> int:
        """Returns how many recorded facts a lead's past must be folded from, to begin before a position."""
        state = lead.state
        if since is None or state.last_fact is None or state.last_fact < since:
            return 0
        if state.fact_count < CHECKPOINT_FACTS:
            return state.fact_count
        return state.fact_count - (await self.fact_reader.checkpoint(lead.lead_id, since, None)).fact_count

    async def _feed_past(self, lead_id: str, refold: Refold, start: LeadState) -> None:
        old = refold.old_state
        if old is not None and old.fact_count - start.fact_count > COMPARED_FACTS:
            checkpoints = (old.fact_count - start.fact_count) // CHECKPOINT_FACTS
            if checkpoints * old.attributes.size <= MAX_COMPARED_BYTES:
                refold.compare(await self.fact_reader.checkpoints_after(lead_id, start.fact_count))
        async with contextlib.aclosing(self.fact_reader.facts(lead_id, after=start.last_fact)) as pieces:
            async for piece in pieces:
                await off_the_loop(len(piece), self._feed, refold, piece)
                if refold.is_over:
                    return

    def _feed(self, refold: Refold, recorded: Sequence[Event | Adjustment]) -> None:
        refold.feed(self.timeline.judge_all(recorded))

    async def _work(self, pending: PendingFacts) -> int:
        since = self.builder(pending.lead).refolds_from(pending.facts, pending.standing)
        stored = pending.lead.state.attributes.size // FACT_BYTES
        return 1 + len(pending.facts) + stored + await self.work_of(pending.lead, since)

    async def _read_ahead(self, chosen: Sequence[PendingFacts]) -> None:
        """Reads the pasts of all leads that have no checkpoint in one query."""
        lead_ids = [
            each.lead.lead_id
            for each in chosen
            if 0 < each.lead.state.fact_count < CHECKPOINT_FACTS
            and self.builder(each.lead).refolds_from(each.facts, each.standing) is not None
        ]
        found = await self.fact_reader.facts_of(lead_ids)
        self.known.update((lead_id, found.get(lead_id, [])) for lead_id in lead_ids)


async def off_the_loop(facts: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Does work over so many facts where it does not hold up the event loop, unless it is short."""
    if facts > INLINE_FACTS:
        return await asyncio.to_thread(work, *args, **kwargs)
    return work(*args, **kwargs)
