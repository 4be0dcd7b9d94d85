"""Events that wait are scored."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.lead import Lead, Standing
from scoring_service.ports import Batch, Bell, Past, Scores
from scoring_service.usecases.recording import Clock, PendingFacts, Plan, Recording
from scoring_service.usecases.slow_lane import SlowLane
from shared import logs

STEP_SECONDS = 1.0
"""After so long a step begins no further transaction; what is left is found again by the next step."""
MIN_CROWD = 100
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

    scores: Scores
    past: Past
    bell: Bell
    calendar: Calendar
    clock: Clock
    slow_lane: SlowLane

    async def step(self, partitions: Sequence[int], most: int, ids: Sequence[str] | None = None) -> int:
        """Scores up to `most` events of some partitions, those among `ids` if given.

        Each transaction is bounded in work, so it may take several of them. Returns `most` when more events may wait,
        else fewer.
        """
        ends = time.perf_counter() + STEP_SECONDS
        started = 0.0
        while started < ends:
            started = time.perf_counter()
            outcome = await self.scores.transact(partial(self._score, partitions, most, ids))
            self.bell.ring(outcome.rung)
            if outcome.scored:
                milliseconds = round((time.perf_counter() - started) * 1000, 2)
                _LOG.info("drain", partitions=len(partitions), events=outcome.scored, ms=milliseconds)
            for lead_id in outcome.heavy:
                if ids is None:
                    self.slow_lane.put(lead_id)
                else:
                    await self.slow_lane.drain(lead_id, ids)
            if not outcome.is_cut and not (outcome.heavy and ids is None):
                return most if outcome.is_full else min(outcome.scored, most - 1)
        return most

    async def _score(self, partitions: Sequence[int], most: int, ids: Sequence[str] | None) -> _Outcome:
        batch = await self.scores.waiting(partitions, most, ids, list(self.slow_lane.lead_ids) if ids is None else ())
        if not batch.count:
            return _Outcome()
        crowd = self._crowd(batch, most) if ids is None else ()
        if crowd:
            return _Outcome(batch.is_full, heavy=crowd)
        standings = await self.scores.take(set(batch.partitions.values()))
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

    async def _score_by(self, publication: int, batch: Batch, standings: dict[int, Standing]) -> _Outcome:
        recording = Recording(self.past, await self.scores.timeline(publication), self.calendar, self.clock())
        plan = await recording.plan(await self._pending(batch, standings, recording))
        updates = await recording.updates(plan.chosen)
        rows = [row for each in plan.chosen for row in batch.rows[each.lead.lead_id]]
        rung = await self.scores.append(recording.commit(updates, rows)) if updates else set()
        return _Outcome(batch.is_full, len(rows), _ids(plan), bool(plan.left), frozenset(rung))

    async def _pending(self, batch: Batch, standings: dict[int, Standing], recording: Recording) -> list[PendingFacts]:
        timeline = recording.timeline
        lead_ids = [
            lead_id for lead_id in batch.events if standings[batch.partitions[lead_id]].publication == timeline.number
        ]
        leads = await self.scores.leads(lead_ids)
        return [
            PendingFacts(
                leads.get(lead_id) or Lead(lead_id),
                standings[batch.partitions[lead_id]],
                [timeline.judge(event) for event in batch.events[lead_id]],
            )
            for lead_id in lead_ids
        ]

    def _crowd(self, batch: Batch, most: int) -> Sequence[str]:
        """Returns the lead that most of a full batch is of: behind it, others would wait for batch after batch."""
        if not batch.is_full:
            return ()
        return [lead_id for lead_id, events in batch.events.items() if len(events) > max(most // 2, MIN_CROWD)]


def _ids(plan: Plan) -> list[str]:
    return [each.lead.lead_id for each in plan.heavy]
