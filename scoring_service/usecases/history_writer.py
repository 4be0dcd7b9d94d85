"""Turns facts and ticks into history entries: plans the work, reads and folds facts, and builds the batch to append.

The unit of work is one fact to fold, because the costs of reading, folding and writing all grow with the facts. Leads
that need little work are updated together in one transaction. A lead that needs more than `MAX_LEAD_WORK` is heavy:
`LeadTransaction` updates it on its own.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, ParamSpec, TypeVar

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
"""Facts that one transaction folds for all of its leads: about 150 ms, during which its partitions are locked."""
MAX_LEAD_WORK = 2_000
"""Facts that a transaction over several leads folds for one of them; a lead that needs more is heavy."""
FACT_BYTES = 512
"""Bytes of attributes that take as long to read and write as one fact takes to fold."""
COMPARED_FACTS = 2 * CHECKPOINT_FACTS
"""Below this many facts, folding is faster than reading the checkpoints to compare with."""
MAX_COMPARED_BYTES = 16 * 1024 * 1024
"""Largest total of attribute bytes in the checkpoints that are read to compare with."""
INLINE_FACTS = 200
"""Up to this many facts are folded on the event loop, which takes about 2 ms; more are folded in a thread."""
TURN_LEADS = 20
"""After this many leads, which take about 2 ms to fold, the event loop runs other tasks."""

Clock = Callable[[], datetime]
P = ParamSpec("P")
T = TypeVar("T")


class PendingFacts(NamedTuple):
    """A lead, the standing of its partition, the facts to record for it, and the builder of their entries.

    `since` is the position from which recorded facts are folded again; None if none are.
    """

    lead: Lead
    standing: Standing
    facts: Sequence[Fact]
    builder: HistoryBuilder
    since: Position | None

    def count_late(self, calendar: Calendar) -> int:
        """Returns how many of the facts are late."""
        if self.since is None:
            return 0
        return sum(self.lead.state.is_ahead_of(fact.position, calendar) for fact in self.facts)


@dataclass(frozen=True, slots=True)
class Plan:
    """The leads that one transaction updates, those left for the next transaction, and the heavy leads."""

    chosen: Sequence[PendingFacts]
    left: Sequence[PendingFacts]
    heavy: Sequence[PendingFacts]


@dataclass(frozen=True, slots=True)
class HistoryWriter:
    """Records pending facts under one timeline. Call it inside a transaction or a snapshot; its reads are part of it.

    `read_ahead` has facts by lead id.
    """

    fact_reader: FactReader
    timeline: Timeline
    calendar: Calendar
    now: datetime
    read_ahead: dict[str, list[Event | Adjustment]] = field(default_factory=dict)

    def pending(self, lead: Lead, standing: Standing, facts: Sequence[Fact] = ()) -> PendingFacts:
        """Returns facts to record for a lead."""
        builder = self.builder(lead)
        return PendingFacts(lead, standing, facts, builder, builder.refolds_from(facts, standing))

    async def plan(self, pending: Iterable[PendingFacts]) -> Plan:
        """Chooses leads for one transaction, those with the least work first, up to `MAX_WORK`."""
        costs = [(await self._work(each), index, each) for index, each in enumerate(pending)]
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
        """Returns the update of each chosen lead."""
        await self._read_ahead(chosen)
        updates: list[LeadUpdate] = []
        for number, each in enumerate(chosen, start=1):
            for refold in each.builder.record(each.facts, each.standing):
                await self.feed(each.lead.lead_id, refold)
            updates.append(each.builder.update())
            if number % TURN_LEADS == 0:
                await asyncio.sleep(0)  # folding a batch can block the event loop for too long
        return updates

    def builder(self, lead: Lead) -> HistoryBuilder:
        """Returns a builder for a lead."""
        return HistoryBuilder(self.timeline, self.calendar, lead, self.now)

    async def feed(self, lead_id: str, refold: Refold) -> None:
        """Runs a whole refold: reads the recorded facts that it needs, and feeds them to it."""
        if lead_id in self.read_ahead and refold.start is None:
            refold.begin(EMPTY)
            await off_the_loop(len(self.read_ahead[lead_id]), self._feed, refold, self.read_ahead[lead_id])
        else:
            start = refold.start or await self.fact_reader.checkpoint(lead_id, refold.before, refold.max_facts)
            refold.begin(start)
            if refold.needs_replay:
                await self._feed_recorded(lead_id, refold, start)
        refold.end()

    def batch(self, updates: Sequence[LeadUpdate], rows: Sequence[Any] = ()) -> AppendBatch:
        """Returns the batch to append; `rows` are the inbox rows of the scored events."""
        return AppendBatch(updates, self.now, self.calendar.date_of(self.now).isoformat(), rows)

    async def work_of(self, lead: Lead, since: Position | None) -> int:
        """Returns how many recorded facts must be folded again to replay a lead from before a position; 0 for None."""
        state = lead.state
        if since is None or state.last_fact is None or state.last_fact < since:
            return 0
        if state.fact_count < CHECKPOINT_FACTS:
            return state.fact_count
        return state.fact_count - (await self.fact_reader.checkpoint(lead.lead_id, since, None)).fact_count

    async def _feed_recorded(self, lead_id: str, refold: Refold, start: LeadState) -> None:
        old = refold.old_state
        if old is not None and old.fact_count - start.fact_count > COMPARED_FACTS:
            checkpoints = (old.fact_count - start.fact_count) // CHECKPOINT_FACTS
            if checkpoints * old.attributes.size <= MAX_COMPARED_BYTES:
                refold.compare(await self.fact_reader.checkpoints_after(lead_id, start.fact_count))
        async with contextlib.aclosing(self.fact_reader.facts(lead_id, after=start.last_fact)) as pieces:
            async for piece in pieces:
                await off_the_loop(len(piece), self._feed, refold, piece)
                if refold.is_finished:
                    return

    def _feed(self, refold: Refold, recorded: Sequence[Event | Adjustment]) -> None:
        refold.feed(self.timeline.judge_all(recorded))

    async def _work(self, pending: PendingFacts) -> int:
        stored = pending.lead.state.attributes.size // FACT_BYTES
        return 1 + len(pending.facts) + stored + await self.work_of(pending.lead, pending.since)

    async def _read_ahead(self, chosen: Sequence[PendingFacts]) -> None:
        """Reads, in one query, the recorded facts of all leads that need a refold and have no checkpoint."""
        lead_ids = [
            each.lead.lead_id
            for each in chosen
            if 0 < each.lead.state.fact_count < CHECKPOINT_FACTS and each.since is not None
        ]
        found = await self.fact_reader.facts_of(lead_ids)
        self.read_ahead.update((lead_id, found.get(lead_id, [])) for lead_id in lead_ids)


async def off_the_loop(facts: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs work over a number of facts in a thread, or on the event loop if it takes only a few milliseconds."""
    if facts > INLINE_FACTS:
        return await asyncio.to_thread(work, *args, **kwargs)
    return work(*args, **kwargs)
