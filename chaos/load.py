"""The load of a round: seeded clients that send, retry, conflict and decay, and a reader."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import timedelta
from itertools import count

import grpc
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2

from chaos.calls import CALL_SECONDS
from chaos.sender import DECAY_BEGINS_DAYS, Sender
from chaos.world import World
from shared import wire

PATIENT_SECONDS = 20.0
"""The deadline of a call that must succeed, even on a server that is starting, in seconds."""
DECAY_SECONDS = 30.0
"""The deadline of a decay run, in seconds."""
VERIFY_SECONDS = 600.0
"""The deadline of a verification, in seconds; a soak leaves a long history."""
PAUSE_SECONDS = 0.15
"""The average pause of a client between two calls, in seconds."""
FEED_SECONDS = 0.3
FEED_EVENTS = 5
"""Enough events for a new lead to reach the score at which the rules fire."""
CLIENTS = 3


class Load(Sender):
    """Everything that the clients of a round send and ask."""

    def __init__(self, world: World, chance: random.Random, prefix: str, *, call_seconds: float = CALL_SECONDS) -> None:
        super().__init__(world, chance, prefix, call_seconds)
        self._is_over = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self, clients: int = CLIENTS) -> AsyncIterator[None]:
        """Sends and reads while the block runs; then `finish` must be awaited."""
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(clients)]
        self._tasks += [asyncio.create_task(self._reader())]
        try:
            yield
        except BaseException:
            await self._cancel(self._tasks)
            raise
        finally:
            self._is_over.set()

    async def finish(self, ends: float) -> bool:
        """Waits until every event is acknowledged; returns False if some are not by `ends` (monotonic clock)."""
        done, waiting = await asyncio.wait(self._tasks, timeout=max(0.0, ends - time.monotonic()))
        await self._cancel(waiting)
        for task in done:
            task.result()
        return not waiting

    @contextlib.asynccontextmanager
    async def feeding(self) -> AsyncIterator[None]:
        """Sends events of new leads while the block runs.

        A rule fires once per lead and day, so without new leads there would soon be no executions and no deliveries.
        """
        is_over = False

        async def feed() -> None:
            for number in count():
                if is_over:
                    return
                await self.send(self.make(FEED_EVENTS, lead=f"new-{number}"))
                await asyncio.sleep(FEED_SECONDS)

        feeding = asyncio.create_task(feed())
        try:
            yield
        finally:
            is_over = True
            await feeding

    async def decay(self, days: int = 0) -> int | None:
        """Runs decay `days` further than before; returns the number of entries appended, None if the run failed."""
        self.world.decay_day += days
        ago = timedelta(days=max(0, DECAY_BEGINS_DAYS - self.world.decay_day))
        request = scoring_pb2.DecayScoresRequest(as_of_time=wire.to_timestamp(self.world.began - ago))

        began, progress = time.monotonic(), scoring_pb2.DecayScoresResponse()

        async def run() -> int:
            async for update in self.scoring.DecayScores(request, timeout=DECAY_SECONDS):
                progress.CopyFrom(update)
                if progress.done:
                    journal = self.world.journal
                    journal.decayed_through = max(journal.decayed_through, progress.through_date)
            return progress.entries_appended

        def describe() -> str:
            checked = f"{progress.leads_checked:,} of {progress.leads_total:,} leads checked"
            return f"after {time.monotonic() - began:.1f} s, {checked}"

        return (await self.call("DecayScores", run, deadline=DECAY_SECONDS, progress=describe))[1]

    async def verify(self) -> list[str]:
        """Returns the violations that the scoring service itself reports."""

        async def run() -> list[str]:
            answers = self.scoring.VerifyScores(scoring_pb2.VerifyScoresRequest(), timeout=VERIFY_SECONDS)
            return [
                f"{each.invariant} {each.lead_id} {each.message}"
                async for answer in answers
                for each in answer.violations
            ]

        _, found = await self.call("VerifyScores", run, deadline=VERIFY_SECONDS)
        return ["nothing: the call failed"] if found is None else found

    @staticmethod
    async def _cancel(tasks: Collection["asyncio.Task[None]"]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _client(self, number: int) -> None:
        while not self._is_over.is_set():
            lot = self.chance.random()
            if self.sent and lot < 0.10:
                await self.repeat([self.chance.choice(self.sent)])
            elif self.sent and lot < 0.15:
                await self.conflict()
            elif lot < 0.18:
                await self.decay(days=self.chance.randrange(2))
            else:
                count = 1 if lot < 0.6 else self.chance.randrange(2, 20)
                await self.send(self.make(count))
            await asyncio.sleep(self.chance.uniform(0, 2 * PAUSE_SECONDS))

    async def _reader(self) -> None:
        while not self._is_over.is_set():
            if self.sent:
                await self._look(self.chance.choice(self.sent).lead_id)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _look(self, lead_id: str) -> None:
        request = scoring_pb2.ListScoreHistoryRequest(lead_id=lead_id, page_size=1000)
        _, page = await self.call(
            "ListScoreHistory", lambda: self.scoring.ListScoreHistory(request, timeout=self.call_seconds)
        )
        for entry in page.entries if page else ():
            self.world.show(
                lead_id,
                entry.sequence,
                score_after=entry.score_after,
                _id=entry.event_id,
                record_time=wire.to_time(entry.record_time),
            )
        if not page or not page.entries:
            return
        ask = intelligence_pb2.GetLeadIntelligenceRequest(lead_id=lead_id)
        codes = [
            await self._seen("GetLeadScore", lambda: self._score(lead_id)),
            await self._seen(
                "GetLeadIntelligence", lambda: self.intelligence.GetLeadIntelligence(ask, timeout=self.call_seconds)
            ),
        ]
        if grpc.StatusCode.NOT_FOUND in codes and lead_id not in self.world.journal.erased:
            self.world.findings.add("I10", f"lead {lead_id} had entries, but was not found afterwards")

    async def _seen(self, method: str, ask: Callable[[], Awaitable[object]]) -> grpc.StatusCode:
        return (await self.call(method, ask))[0]

    async def _score(self, lead_id: str) -> None:
        request = scoring_pb2.GetLeadScoreRequest(lead_id=lead_id)
        lead = (await self.scoring.GetLeadScore(request, timeout=self.call_seconds)).lead_score
        self.world.show(lead_id, lead.sequence, score_after=lead.score)
