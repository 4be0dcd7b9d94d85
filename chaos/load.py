"""The load of a round: seeded clients that send and send again as the README tells them to, and readers."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar

import grpc
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc
from leadscore.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc

from chaos.journal import Seen
from chaos.world import World
from shared import wire
from testkit.traffic import KINDS, RETRIED

CALL_SECONDS = 5.0
"""The deadline of a call, so that many are met while a fault is on."""
PATIENT_SECONDS = 20.0
"""The deadline of a call that must succeed whatever happens, be it to a server that is just starting."""
DECAY_SECONDS = 30.0
"""The deadline of a decay run."""
VERIFY_SECONDS = 600.0
"""The deadline of a verification; a soak leaves a long history."""
PAUSE_SECONDS = 0.15
"""How long a client rests between two calls, on average."""
BACK_OFF_SECONDS = 0.2
"""How long it rests before it sends again what failed."""
FEED_SECONDS = 0.3
FEED_EVENTS = 5
"""Enough for a new lead to come to the score at which the rules fire."""
CLIENTS = 3
LEADS = 6
SOURCES = ("", "website", "crm")
QUIET_LEADS = 3
"""Leads whose events are old, so that decay takes from them."""
DECAY_BEGINS_DAYS = 40
"""How long ago the first decay run of a world is said to be."""
T = TypeVar("T")


class Load:
    """What is sent and asked in a round; leads and events have the prefix of the round."""

    def __init__(self, world: World, chance: random.Random, prefix: str, *, call_seconds: float = CALL_SECONDS) -> None:
        self._world = world
        self._chance = chance
        self._prefix = prefix
        self._count = 0
        self._mine: list[pb.Event] = []
        self._is_over = asyncio.Event()
        self._call_seconds = call_seconds
        self.acknowledgements: list[float] = []
        """When an event was acknowledged, by the monotonic clock."""

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
        """Waits until all that was sent is acknowledged; tells whether it was at a time of the monotonic clock."""
        done, waiting = await asyncio.wait(self._tasks, timeout=max(0.0, ends - time.monotonic()))
        await self._cancel(waiting)
        for task in done:
            task.result()
        return not waiting

    @contextlib.asynccontextmanager
    async def feeding(self) -> AsyncIterator[None]:
        """Sends events of ever new leads while the block runs.

        A rule fires once for a lead in a day, so without them there are soon no executions, and no deliveries.
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

    def make(self, count: int, *, lead: str = "") -> list[pb.Event]:
        """Returns new events, of one lead or of several, many of them late and some with equal times."""
        events = [self._event(lead) for _ in range(count)]
        self._world.journal.sent.update((event.event_id, event) for event in events)
        return events

    async def send(self, events: list[pb.Event]) -> None:
        """Sends new events until each of them is acknowledged."""
        await self.repeat(events)
        self._mine += events

    async def repeat(self, events: list[pb.Event]) -> None:
        """Sends events, new or not, until each of them is acknowledged; one alone as a batch only now and then."""
        if len(events) == 1 and self._chance.random() < 0.8:
            await self._retried(lambda: self._one(events[0]))
        else:
            await self._retried(lambda: self._batch(events))

    def lead_id(self, name: str) -> str:
        """Returns the id that a lead has in this round."""
        return f"{self._prefix}-{name}"

    def acknowledged(self) -> list[pb.Event]:
        """Returns the events of this round that were acknowledged so far."""
        return list(self._mine)

    async def conflict(self) -> None:
        """Offers another payload for an id that is taken, which must be refused and change nothing."""
        event = pb.Event()
        event.CopyFrom(self._chance.choice(self._mine))
        match self._chance.randrange(5):
            case 0:
                event.event_type += "-or-not"
            case 1:
                event.source += "-or-not"
            case 2:
                event.lead_id += "-or-not"
            case 3:
                event.event_time.seconds += 1
            case _:
                event.properties["pages"] = event.properties.fields["pages"].number_value + 1
        if self._chance.random() < 0.5:
            code, _ = await self._ingest_one(event)
            accepted, refused = code is grpc.StatusCode.OK, code is grpc.StatusCode.ALREADY_EXISTS
        else:
            code, outcomes = await self._ingest_batch([event])
            answered = outcomes.outcomes[0].outcome if outcomes else None
            refused = answered == pb.OUTCOME_REJECTED
            accepted = answered in (pb.OUTCOME_ACCEPTED, pb.OUTCOME_DUPLICATE)
        if refused:
            self._world.journal.refused.add(event.event_id)
        elif accepted or code not in {grpc.StatusCode.OK, *RETRIED}:
            what = f"another payload for event {event.event_id} was answered with {code.name}"
            self._world.journal.wrongly_accepted.append(what)

    async def decay(self, days: int = 0) -> int | None:
        """Applies the ticks of some days more than before; returns the entries that it appended, None if it failed."""
        self._world.decay_day += days
        ago = timedelta(days=max(0, DECAY_BEGINS_DAYS - self._world.decay_day))
        request = scoring_pb2.DecayScoresRequest(as_of_time=wire.to_timestamp(self._world.began - ago))

        async def run() -> int:
            appended = 0
            async for progress in self._scoring.DecayScores(request, timeout=DECAY_SECONDS):
                appended = progress.entries_appended
                if progress.done:
                    journal = self._world.journal
                    journal.decayed_through = max(journal.decayed_through, progress.through_date)
            return appended

        return (await self.call("DecayScores", run, deadline=DECAY_SECONDS))[1]

    async def verify(self) -> list[str]:
        """Returns what the scoring service itself finds wrong."""

        async def run() -> list[str]:
            answers = self._scoring.VerifyScores(scoring_pb2.VerifyScoresRequest(), timeout=VERIFY_SECONDS)
            return [
                f"{each.invariant} {each.lead_id} {each.message}"
                async for answer in answers
                for each in answer.violations
            ]

        _, found = await self.call("VerifyScores", run, deadline=VERIFY_SECONDS)
        return ["nothing, it failed"] if found is None else found

    async def call(
        self, method: str, ask: Callable[[], Awaitable[T]], *, deadline: float | None = None
    ) -> tuple[grpc.StatusCode, T | None]:
        """Makes one call, enters it in the journal, and returns its status and what it answered."""
        began, was_under_fault = time.monotonic(), self._world.is_under_fault
        deadline = deadline or self._call_seconds
        code, answer = grpc.StatusCode.OK, None
        try:
            answer = await ask()
        except grpc.aio.AioRpcError as error:
            code = error.code()
        under_fault = (was_under_fault or self._world.is_under_fault) and method not in self._world.unaffected
        took = time.monotonic() - began - self._world.stalls.since(began)
        self._world.journal.calls.append(Seen(method, code, took, deadline, under_fault))
        return code, answer

    @property
    def _ingest(self) -> "ingest_pb2_grpc.IngestServiceAsyncStub":
        return ingest_pb2_grpc.IngestServiceStub(self._world.channel("ingest"))

    @property
    def _scoring(self) -> "scoring_pb2_grpc.ScoringServiceAsyncStub":
        return scoring_pb2_grpc.ScoringServiceStub(self._world.channel("scoring"))

    @property
    def _intelligence(self) -> "intelligence_pb2_grpc.IntelligenceServiceAsyncStub":
        return intelligence_pb2_grpc.IntelligenceServiceStub(self._world.channel("intelligence"))

    def _event(self, lead: str) -> pb.Event:
        self._count += 1
        kind = self._chance.choice((*KINDS, "identify"))
        lead = lead or self._chance.choice(["hot", "hot", *(f"lead-{number}" for number in range(LEADS)), "quiet"])
        days = (0.0, 30.0)
        if lead == "quiet":
            lead, days = f"quiet-{self._chance.randrange(QUIET_LEADS)}", (DECAY_BEGINS_DAYS + 8.0, 80.0)
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        return pb.Event(
            event_id=f"{self._prefix}-{self._count}",
            lead_id=self.lead_id(lead),
            event_type=kind,
            event_time=wire.to_timestamp(hour - timedelta(hours=round(24 * self._chance.uniform(*days)))),
            source=self._chance.choice(SOURCES),
            properties=wire.to_struct({"name": f"Ada {self._count}", "pages": self._count, "tags": ["a", None, True]}),
        )

    @staticmethod
    async def _cancel(tasks: Collection["asyncio.Task[None]"]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _client(self, number: int) -> None:
        while not self._is_over.is_set():
            lot = self._chance.random()
            if self._mine and lot < 0.10:
                await self.repeat([self._chance.choice(self._mine)])
            elif self._mine and lot < 0.15:
                await self.conflict()
            elif lot < 0.18:
                await self.decay(days=self._chance.randrange(2))
            else:
                count = 1 if lot < 0.6 else self._chance.randrange(2, 20)
                await self.send(self.make(count))
            await asyncio.sleep(self._chance.uniform(0, 2 * PAUSE_SECONDS))

    async def _reader(self) -> None:
        while not self._is_over.is_set():
            if self._mine:
                await self._look(self._chance.choice(self._mine).lead_id)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _look(self, lead_id: str) -> None:
        request = scoring_pb2.ListScoreHistoryRequest(lead_id=lead_id, page_size=1000)
        _, page = await self.call(
            "ListScoreHistory", lambda: self._scoring.ListScoreHistory(request, timeout=self._call_seconds)
        )
        for entry in page.entries if page else ():
            self._world.show(
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
                "GetLeadIntelligence", lambda: self._intelligence.GetLeadIntelligence(ask, timeout=self._call_seconds)
            ),
        ]
        if grpc.StatusCode.NOT_FOUND in codes:
            self._world.violations.append(("I10", f"lead {lead_id} had entries, and was not found then"))

    async def _seen(self, method: str, ask: Callable[[], Awaitable[object]]) -> grpc.StatusCode:
        return (await self.call(method, ask))[0]

    async def _score(self, lead_id: str) -> None:
        request = scoring_pb2.GetLeadScoreRequest(lead_id=lead_id)
        lead = (await self._scoring.GetLeadScore(request, timeout=self._call_seconds)).lead_score
        self._world.show(lead_id, lead.sequence, score_after=lead.score)

    async def _retried(self, call: Callable[[], Awaitable[bool]]) -> None:
        while not await call():
            await asyncio.sleep(BACK_OFF_SECONDS)

    async def _one(self, event: pb.Event) -> bool:
        """Sends an event and tells whether it need not be sent again."""
        code, answer = await self._ingest_one(event)
        if answer:
            self._acknowledge(event, answer.outcome)
        elif code not in RETRIED:
            self._world.violations.append(("I15", f"event {event.event_id} was answered with {code.name}"))
        return code not in RETRIED

    async def _ingest_one(self, event: pb.Event) -> tuple[grpc.StatusCode, pb.IngestEventResponse | None]:
        request = pb.IngestEventRequest(event=event)
        return await self.call("IngestEvent", lambda: self._ingest.IngestEvent(request, timeout=self._call_seconds))

    async def _ingest_batch(
        self, events: list[pb.Event]
    ) -> tuple[grpc.StatusCode, pb.BatchIngestEventsResponse | None]:
        request = pb.BatchIngestEventsRequest(events=events)
        return await self.call(
            "BatchIngestEvents", lambda: self._ingest.BatchIngestEvents(request, timeout=self._call_seconds)
        )

    async def _batch(self, events: list[pb.Event]) -> bool:
        """Sends events and tells whether they need not be sent again."""
        code, answer = await self._ingest_batch(events)
        if answer:
            if len(answer.outcomes) != len(events):
                what = f"{len(answer.outcomes)} outcomes for {len(events)} events"
                self._world.violations.append(("I15", f"a batch with {events[0].event_id} was answered with {what}"))
            later = []
            for event, outcome in zip(events, answer.outcomes, strict=False):
                if outcome.outcome == pb.OUTCOME_RETRY_LATER:
                    later.append(event)
                else:
                    self._acknowledge(event, outcome.outcome)
            if later:
                await asyncio.sleep(BACK_OFF_SECONDS)
                await self._retried(lambda: self._batch(later))
        elif code not in RETRIED:
            self._world.violations.append(("I15", f"a batch with {events[0].event_id} was answered with {code.name}"))
        return code not in RETRIED

    def _acknowledge(self, event: pb.Event, outcome: pb.Outcome) -> None:
        journal = self._world.journal
        if outcome == pb.OUTCOME_REJECTED:
            journal.wrongly_accepted.append(f"event {event.event_id} was refused, although it is well-formed and new")
        elif outcome == pb.OUTCOME_ACCEPTED and event.event_id in journal.acknowledged:
            journal.wrongly_accepted.append(f"event {event.event_id} was accepted again instead of called a duplicate")
        else:
            journal.acknowledged.add(event.event_id)
            journal.acknowledged_at.setdefault(event.event_id, datetime.now(UTC))
            self.acknowledgements.append(time.monotonic())
