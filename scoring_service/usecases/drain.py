"""Events that wait are scored."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.lead import Lead, Standing
from scoring_service.ports import Doorbell
from scoring_service.store.batches import EventBatch
from scoring_service.store.facts import FactReader
from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.history_writer import Clock, HistoryWriter, PendingFacts, Plan
from scoring_service.usecases.slow_lane import SlowLane
from shared import logs

STEP_SECONDS = 1.0
"""After so long a step begins no further transaction; what is left is found again by the next step."""
MIN_HEAVY_EVENTS = 100
"""Fewer events of one lead never make it a heavy one by themselves."""

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a transaction did.

    `is_full`: more events may wait than it found. `is_cut`: it left some of what it found to the next one. `heavy` are
    the leads that are too much for it.
    """

    is_full: bool = False
    scored: int = 0
    heavy: Sequence[str] = ()
    is_cut: bool = False
    rung: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Drain:
    """Scores the events that wait, but for those of heavy leads, which it leaves to the slow lane."""

    lead_writer: LeadWriter
    fact_reader: FactReader
    doorbell: Doorbell
    calendar: Calendar
    clock: Clock
    slow_lane: SlowLane

    async def step(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        """Scores up to `limit` events of some partitions, those among `ids` if given.

        Each transaction is bounded in work, so it may take several of them. Returns `limit` when more events may wait,
        else fewer.
        """
        ends = time.perf_counter() + STEP_SECONDS
        started = 0.0
        while started < ends:
            started = time.perf_counter()
            outcome = await self.lead_writer.transact(partial(self._score, partitions, limit, ids))
            self.doorbell.ring(outcome.rung)
            if outcome.scored:
                milliseconds = round((time.perf_counter() - started) * 1000, 2)
                _LOG.info("drain", partitions=len(partitions), events=outcome.scored, ms=milliseconds)
            for lead_id in outcome.heavy:
                if ids is None:
                    self.slow_lane.put(lead_id)
                else:
                    await self.slow_lane.drain(lead_id, ids)
            if not outcome.is_cut and not (outcome.heavy and ids is None):
                return limit if outcome.is_full else min(outcome.scored, limit - 1)
        return limit

    async def _score(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None) -> _Outcome:
        batch = await self.lead_writer.waiting(
            partitions, limit, ids, list(self.slow_lane.lead_ids) if ids is None else ()
        )
        if not batch.count:
            return _Outcome()
        heavy = self._heavy(batch, limit) if ids is None else ()
        if heavy:
            return _Outcome(batch.is_full, heavy=heavy)
        standings = await self.lead_writer.take(set(batch.partitions.values()))
        # Partitions follow a publication one after the other; a batch over several follows what each of them does.
        outcomes = [
            await self._score_by(publication, batch, standings)
            for publication in sorted({standing.publication for standing in standings.values()})
        ]
        return _Outcome(
            batch.is_full,
            sum(each.scored for each in outcomes),
            [lead_id for each in outcomes for lead_id in each.heavy],
            any(each.is_cut for each in outcomes),
            frozenset().union(*(each.rung for each in outcomes)),
        )

    async def _score_by(self, publication: int, batch: EventBatch, standings: dict[int, Standing]) -> _Outcome:
        writer = HistoryWriter(
            self.fact_reader, await self.lead_writer.timeline(publication), self.calendar, self.clock()
        )
        plan = await writer.plan(await self._pending(batch, standings, writer))
        updates = await writer.updates(plan.chosen)
        rows = [row for each in plan.chosen for row in batch.rows[each.lead.lead_id]]
        rung = await self.lead_writer.append(writer.commit(updates, rows)) if updates else set()
        return _Outcome(batch.is_full, len(rows), _ids(plan), bool(plan.left), frozenset(rung))

    async def _pending(
        self, batch: EventBatch, standings: dict[int, Standing], writer: HistoryWriter
    ) -> list[PendingFacts]:
        timeline = writer.timeline
        lead_ids = [
            lead_id for lead_id in batch.events if standings[batch.partitions[lead_id]].publication == timeline.number
        ]
        leads = await self.lead_writer.leads(lead_ids)
        return [
            PendingFacts(
                leads.get(lead_id) or Lead(lead_id),
                standings[batch.partitions[lead_id]],
                [timeline.judge(event) for event in batch.events[lead_id]],
            )
            for lead_id in lead_ids
        ]

    def _heavy(self, batch: EventBatch, limit: int) -> Sequence[str]:
        """Returns the lead that most of a full batch is of: behind it, others would wait for batch after batch."""
        if not batch.is_full:
            return ()
        return [lead_id for lead_id, events in batch.events.items() if len(events) > max(limit // 2, MIN_HEAVY_EVENTS)]


def _ids(plan: Plan) -> list[str]:
    return [each.lead.lead_id for each in plan.heavy]
