"""Sending events until each is acknowledged, as docs/events.md tells clients to."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.ingest.v1 import ingest_pb2 as pb

from chaos.calls import Calls
from chaos.world import World
from shared import wire
from testkit.traffic import KINDS, RETRIED

BACK_OFF_SECONDS = 0.2
"""The pause before a failed call is sent again, in seconds."""
LEADS = 6
SOURCES = ("", "website", "crm")
RECENT_DAYS = 2 / 24
"""The age of the newest events, in days: no fault sets the clock of a service back that far."""
QUIET_LEADS = 3
"""Leads with old events, which decay takes points from."""
DECAY_BEGINS_DAYS = 40
"""How many days before the start of a world its first decay run is dated."""


def set_event_time(event: pb.Event, time: datetime) -> None:
    """Sets when an event happened, by a clock that is right: a wrong one would move recent events into the future."""
    event.event_time.CopyFrom(wire.to_timestamp(time))
    event.ClearField("sent_time")


class Sender(Calls):
    """Makes and sends events; the ids of leads and events have the prefix of the round."""

    def __init__(self, world: World, chance: random.Random, prefix: str, call_seconds: float) -> None:
        super().__init__(world, call_seconds)
        self.chance = chance
        self.prefix = prefix
        self.sent: list[pb.Event] = []
        self.acknowledgements: list[float] = []
        """When each event was acknowledged, by the monotonic clock."""
        self._count = 0

    def make(self, count: int, *, lead: str = "") -> list[pb.Event]:
        """Returns new events of one lead or of several; many are late, some have equal times."""
        events = [self._event(lead) for _ in range(count)]
        self.world.journal.sent.update((event.event_id, event) for event in events)
        return events

    async def send(self, events: list[pb.Event]) -> None:
        """Sends new events until each of them is acknowledged."""
        await self.repeat(events)
        self.sent += events

    async def repeat(self, events: list[pb.Event]) -> None:
        """Sends events, new or not, until each of them is acknowledged; 20 % of single events go as a batch."""
        for event in events:
            if event.HasField("sent_time"):
                event.sent_time.CopyFrom(self._sent_time())
        if len(events) == 1 and self.chance.random() < 0.8:
            await self._retried(lambda: self._one(events[0]))
        else:
            await self._retried(lambda: self._batch(events))

    def lead_id(self, name: str) -> str:
        """Returns the id that a lead has in this round."""
        return f"{self.prefix}-{name}"

    def acknowledged(self) -> list[pb.Event]:
        """Returns the events of this round that have been acknowledged so far."""
        return list(self.sent)

    async def conflict(self) -> None:
        """Sends another payload with the id of a sent event; the service must refuse it and change nothing."""
        event = pb.Event()
        event.CopyFrom(self.chance.choice(self.sent))
        lead_id = event.lead_id
        if lead_id in self.world.journal.erased:
            return
        match self.chance.randrange(5):
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
        if self.chance.random() < 0.5:
            code, _ = await self._ingest_one(event)
            accepted, refused = code is grpc.StatusCode.OK, code is grpc.StatusCode.ALREADY_EXISTS
        else:
            code, outcomes = await self._ingest_batch([event])
            answered = outcomes.outcomes[0].outcome if outcomes else None
            refused = answered == pb.OUTCOME_REJECTED
            accepted = answered in (pb.OUTCOME_ACCEPTED, pb.OUTCOME_DUPLICATE)
        if lead_id in self.world.journal.erased:
            return  # meanwhile, so nothing is left that it could conflict with
        if refused:
            self.world.journal.refused.add(event.event_id)
        elif accepted or code not in {grpc.StatusCode.OK, *RETRIED}:
            what = f"another payload for event {event.event_id} was answered with {code.name}"
            self.world.journal.wrongly_accepted.append(what)

    def _event(self, lead: str) -> pb.Event:
        self._count += 1
        kind = self.chance.choice((*KINDS, "identify"))
        lead = lead or self.chance.choice(["hot", "hot", *(f"lead-{number}" for number in range(LEADS)), "quiet"])
        days = (RECENT_DAYS, 30.0)
        if lead == "quiet":
            lead, days = f"quiet-{self.chance.randrange(QUIET_LEADS)}", (DECAY_BEGINS_DAYS + 8.0, 80.0)
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        return pb.Event(
            sent_time=self._sent_time() if self.chance.random() < 0.3 else None,
            event_id=f"{self.prefix}-{self._count}",
            lead_id=self.lead_id(lead),
            event_type=kind,
            event_time=wire.to_timestamp(hour - timedelta(hours=round(24 * self.chance.uniform(*days)))),
            source=self.chance.choice(SOURCES),
            properties=wire.to_struct({"name": f"Ada {self._count}", "pages": self._count, "tags": ["a", None, True]}),
        )

    def _sent_time(self) -> Timestamp:
        """Returns the time on the clock of a client, which may be wrong by an hour."""
        return wire.to_timestamp(datetime.now(UTC) + timedelta(hours=self.chance.uniform(-1.0, 1.0)))

    async def _retried(self, call: Callable[[], Awaitable[bool]]) -> None:
        while not await call():
            await asyncio.sleep(BACK_OFF_SECONDS)

    async def _one(self, event: pb.Event) -> bool:
        """Sends an event; returns False if it must be sent again."""
        code, answer = await self._ingest_one(event)
        if answer:
            self._acknowledge(event, answer.outcome)
        elif code not in RETRIED and event.lead_id not in self.world.journal.erased:
            self.world.findings.add("I15", f"event {event.event_id} was answered with {code.name}")
        return code not in RETRIED

    async def _ingest_one(self, event: pb.Event) -> tuple[grpc.StatusCode, pb.IngestEventResponse | None]:
        request = pb.IngestEventRequest(event=event)
        return await self.call("IngestEvent", lambda: self.ingest.IngestEvent(request, timeout=self.call_seconds))

    async def _ingest_batch(
        self, events: list[pb.Event]
    ) -> tuple[grpc.StatusCode, pb.BatchIngestEventsResponse | None]:
        request = pb.BatchIngestEventsRequest(events=events)
        return await self.call(
            "BatchIngestEvents", lambda: self.ingest.BatchIngestEvents(request, timeout=self.call_seconds)
        )

    async def _batch(self, events: list[pb.Event]) -> bool:
        """Sends events; returns False if they must be sent again."""
        code, answer = await self._ingest_batch(events)
        if answer:
            if len(answer.outcomes) != len(events):
                what = f"{len(answer.outcomes)} outcomes for {len(events)} events"
                self.world.findings.add("I15", f"a batch with {events[0].event_id} was answered with {what}")
            later = []
            for event, outcome in zip(events, answer.outcomes, strict=False):
                if outcome.outcome == pb.OUTCOME_RETRY_LATER:
                    later.append(event)
                else:
                    self._acknowledge(event, outcome.outcome, outcome.message)
            if later:
                await asyncio.sleep(BACK_OFF_SECONDS)
                await self._retried(lambda: self._batch(later))
        elif code not in RETRIED:
            self.world.findings.add("I15", f"a batch with {events[0].event_id} was answered with {code.name}")
        return code not in RETRIED

    def _acknowledge(self, event: pb.Event, outcome: pb.Outcome, reason: str = "") -> None:
        journal = self.world.journal
        if event.lead_id in journal.erased:
            return  # whatever the answer is, the event must not be found
        if outcome == pb.OUTCOME_REJECTED:
            journal.wrongly_accepted.append(f"event {event.event_id} is well-formed and new, but was refused: {reason}")
        elif outcome == pb.OUTCOME_ACCEPTED and event.event_id in journal.acknowledged:
            journal.wrongly_accepted.append(f"event {event.event_id} was accepted again instead of called a duplicate")
        else:
            journal.acknowledged.add(event.event_id)
            journal.acknowledged_at.setdefault(event.event_id, datetime.now(UTC))
            self.acknowledgements.append(time.monotonic())
