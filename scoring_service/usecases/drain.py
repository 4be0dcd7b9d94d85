"""Scores the pending events of some partitions."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from scoring_service import metrics
from scoring_service.domain.calendar import Calendar
from scoring_service.domain.lead import Lead, Standing
from scoring_service.ports import Doorbell
from scoring_service.store.batches import EventBatch
from scoring_service.store.documents import traceparents_of
from scoring_service.store.facts import FactReader
from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.history_writer import Clock, HistoryWriter, PendingFacts
from scoring_service.usecases.slow_lane import SlowLane
from shared import logs
from shared.contracts.events import CONTRACT
from shared.traces import drains

STEP_SECONDS = 1.0
"""A step starts no more transactions after this time; the next step scores the remaining events."""
MIN_HEAVY_EVENTS = 100
"""A lead with fewer events in a batch is never heavy because of their number."""

_LOG = logs.get(__name__)


@dataclass(slots=True)
class _Outcome:
    """What one transaction did.

    `is_full`: more events may be pending than it read. `is_cut`: it left some of the events that it read to the next
    transaction. `heavy` lists the leads that need too much work for a shared transaction. `doorbells` are the
    partitions of automation's inbox that have new rows. `late` is how many of the scored events were late.
    `traceparents` are those of the scored events that have one.
    """

    is_full: bool
    scored: int
    heavy: list[str]
    is_cut: bool
    doorbells: set[int]
    late: int = 0
    traceparents: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Drain:
    """Scores pending events, except those of heavy leads, which the slow lane scores."""

    lead_writer: LeadWriter
    fact_reader: FactReader
    doorbell: Doorbell
    calendar: Calendar
    clock: Clock
    slow_lane: SlowLane

    async def step(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        """Scores up to `limit` events of some partitions, only those in `ids` if given.

        The work of a transaction is bounded, so a step may take several. Returns `limit` if more events may be pending,
        otherwise a smaller number.
        """
        end = time.perf_counter() + STEP_SECONDS
        started = 0.0
        while started < end:
            started = time.perf_counter()
            outcome = await self.lead_writer.transact(partial(self._score, partitions, limit, ids))
            self.doorbell.ring(outcome.doorbells)
            if outcome.scored:
                seconds = time.perf_counter() - started
                metrics.DRAINS.done(outcome.scored, seconds)
                metrics.LATE_EVENTS.inc(outcome.late)
                with drains.span(CONTRACT.collection, outcome.scored, outcome.traceparents, seconds=seconds):
                    _LOG.info("drain", partitions=len(partitions), events=outcome.scored, ms=round(seconds * 1000, 2))
            for lead_id in outcome.heavy:
                if ids is None:
                    self.slow_lane.put(lead_id)
                else:
                    await self.slow_lane.drain(lead_id, ids)
            if not outcome.is_cut and not (outcome.heavy and ids is None):
                return limit if outcome.is_full else min(outcome.scored, limit - 1)
        return limit

    async def _score(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None) -> _Outcome:
        """Reads, folds and writes one batch; runs inside a transaction, again from the start after a conflict."""
        in_slow_lane = list(self.slow_lane.lead_ids) if ids is None else ()
        batch = await self.lead_writer.pending(partitions, limit, ids, in_slow_lane)
        heavy = _majority_lead(batch, limit) if ids is None else []
        outcome = _Outcome(batch.is_full, 0, heavy, is_cut=False, doorbells=set())
        if heavy or not batch.count:
            return outcome
        standings = await self.lead_writer.take(set(batch.partitions.values()))
        # A new publication reaches one partition after another, so those of a batch may follow different ones.
        for publication in sorted({standing.publication for standing in standings.values()}):
            timeline = await self.lead_writer.timeline(publication)
            writer = HistoryWriter(self.fact_reader, timeline, self.calendar, self.clock())
            plan = await writer.plan(await self._pending_facts(batch, standings, writer))
            updates = await writer.updates(plan.chosen)
            rows = [row for each in plan.chosen for row in batch.rows[each.lead.lead_id]]
            if updates:
                outcome.doorbells |= await self.lead_writer.append(writer.batch(updates, rows))
            outcome.scored += len(rows)
            outcome.traceparents += traceparents_of(rows).values()
            outcome.late += sum(each.count_late(self.calendar) for each in plan.chosen)
            outcome.heavy += [each.lead.lead_id for each in plan.heavy]
            outcome.is_cut |= bool(plan.left)
        return outcome

    async def _pending_facts(
        self, batch: EventBatch, standings: dict[int, Standing], writer: HistoryWriter
    ) -> list[PendingFacts]:
        """Judges the events of the leads whose partitions follow the timeline of a writer."""
        timeline = writer.timeline
        lead_ids = [
            lead_id for lead_id in batch.events if standings[batch.partitions[lead_id]].publication == timeline.number
        ]
        leads = await self.lead_writer.leads(lead_ids)
        return [
            writer.pending(
                leads.get(lead_id) or Lead(lead_id),
                standings[batch.partitions[lead_id]],
                [timeline.judge(event) for event in batch.events[lead_id]],
            )
            for lead_id in lead_ids
        ]


def _majority_lead(batch: EventBatch, limit: int) -> list[str]:
    """Returns the lead with most of the events of a full batch, if there is one: it would delay all other leads."""
    if not batch.is_full:
        return []
    return [lead_id for lead_id, events in batch.events.items() if len(events) > max(limit // 2, MIN_HEAVY_EVENTS)]
