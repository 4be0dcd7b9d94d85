"""Load for tests of the whole system: makes seeded events, and sends them with retries as clients should."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import grpc
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2

from shared import wire
from testkit.system import System
from testkit.waiting import PATIENCE_SECONDS, eventually

CALL_SECONDS = 30.0
"""A call that is given up is made again, and what it has stored is a duplicate then."""
KINDS = ("page_view", "download", "signup", "demo_request", "unsubscribe", "unheard_of")
RETRIED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
}


def make_events(count: int, *, leads: int, seed: int, prefix: str = "") -> list[pb.Event]:
    """Returns events of the last 60 days, many with equal times, sorted by time."""
    chance = random.Random(seed)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    times = sorted(now - timedelta(hours=chance.randrange(24 * 60)) for _ in range(count))
    return [
        pb.Event(
            event_id=f"{prefix}{seed}-{number}",
            lead_id=f"{prefix}lead-{chance.randrange(leads)}",
            event_type=chance.choice(KINDS),
            event_time=wire.to_timestamp(time),
        )
        for number, time in enumerate(times)
    ]


async def send(
    system: System, events: Sequence[pb.Event], *, batch: int = 200, clients: int = 1, tries: int = 300
) -> Counter[pb.Outcome]:
    """Sends events in batches and counts the outcomes; retries statuses that a fault can cause."""
    batches = [events[start : start + batch] for start in range(0, len(events), batch)]
    outcomes: Counter[pb.Outcome] = Counter()

    async def client() -> None:
        while batches:
            left = batches.pop(0)
            while left:
                answers = (await _call(system, pb.BatchIngestEventsRequest(events=left), tries)).outcomes
                later = [answer.outcome == pb.OUTCOME_RETRY_LATER for answer in answers]
                outcomes.update(answer.outcome for answer, again in zip(answers, later, strict=True) if not again)
                left = [event for event, again in zip(left, later, strict=True) if again]
                if left:
                    await asyncio.sleep(answers[later.index(True)].retry_delay.ToTimedelta().total_seconds())

    await asyncio.gather(*(client() for _ in range(clients)))
    return outcomes


async def all_scored(system: System, *, within: float = PATIENCE_SECONDS) -> None:
    """Waits until no event is pending."""

    async def none_pending() -> bool:
        request = scoring_pb2.GetScoringBacklogRequest()
        return (await system.scoring().GetScoringBacklog(request, timeout=30)).pending_events == 0

    await eventually(none_pending, within=within, what="every accepted event is scored")


async def scores(system: System) -> dict[str, int]:
    """Returns the score of every lead."""
    found: dict[str, int] = {}
    token = ""
    while True:
        request = scoring_pb2.ListLeadScoresRequest(
            page_size=1000, page_token=token, order=scoring_pb2.LEAD_ORDER_LEAD_ID
        )
        page = await system.scoring().ListLeadScores(request, timeout=30)
        found |= {lead.lead_id: lead.score for lead in page.lead_scores}
        token = page.next_page_token
        if not token:
            return found


async def violations(system: System) -> list[str]:
    """Returns the violations that `VerifyScores` reports."""
    found: list[str] = []
    async for progress in system.scoring().VerifyScores(scoring_pb2.VerifyScoresRequest(), timeout=120):
        found += [f"{each.invariant} {each.lead_id}: {each.message}" for each in progress.violations]
    return found


async def _call(system: System, request: pb.BatchIngestEventsRequest, tries: int) -> pb.BatchIngestEventsResponse:
    for _ in range(tries - 1):
        try:
            return await system.ingest().BatchIngestEvents(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() not in RETRIED:
                raise
            await asyncio.sleep(0.2)  # the documented back-off, not a wait of the test
    return await system.ingest().BatchIngestEvents(request, timeout=CALL_SECONDS)
