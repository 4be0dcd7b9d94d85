"""Events that wait are scored."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from scoring_service.domain.fold import Calendar
from scoring_service.domain.history import Lead, Recorded
from scoring_service.ports import Batch, Bell, Partition, Scores
from scoring_service.usecases.recording import Clock, Due, Recording
from shared import logs

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Drain:
    """Scores the events that wait."""

    scores: Scores
    bell: Bell
    calendar: Calendar
    clock: Clock

    async def step(self, partitions: Sequence[int], most: int, ids: Sequence[str] | None = None) -> int:
        """Scores up to `most` events of some partitions, those among `ids` if given, and returns their number.

        All of it is one transaction.
        """
        started = time.perf_counter()
        events, leads, rung = await self.scores.transact(partial(self._score, partitions, most, ids))
        self.bell.ring(rung)
        if events:
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            _LOG.info("drain", partitions=len(partitions), events=events, leads=leads, ms=milliseconds)
        return events

    async def _score(
        self, partitions: Sequence[int], most: int, ids: Sequence[str] | None
    ) -> tuple[int, int, set[int]]:
        batch = await self.scores.waiting(partitions, most, ids)
        if not batch.rows:
            return 0, 0, set()
        stands = await self.scores.begin(set(batch.partitions.values()))
        # Partitions follow a publication one after the other; a batch over several follows what each of them does.
        recorded: list[Recorded] = []
        rung: set[int] = set()
        for publication in sorted({partition.publication for partition in stands.values()}):
            recording = Recording(self.scores, await self.scores.timeline(publication), self.calendar, self.clock())
            found = await recording.of(await self._due(batch, stands, recording))
            rung |= await self.scores.append(recording.commit(found))
            recorded += found
        await self.scores.mark(batch)
        return len(batch.rows), len(recorded), rung

    async def _due(self, batch: Batch, stands: dict[int, Partition], recording: Recording) -> list[Due]:
        timeline = recording.timeline
        lead_ids = [
            lead_id for lead_id in batch.events if stands[batch.partitions[lead_id]].publication == timeline.number
        ]
        leads = await self.scores.leads(lead_ids)
        return [
            Due(
                leads.get(lead_id) or Lead(lead_id),
                stands[batch.partitions[lead_id]].through,
                [timeline.judge(event) for event in batch.events[lead_id]],
            )
            for lead_id in lead_ids
        ]
