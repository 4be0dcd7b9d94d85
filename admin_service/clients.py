"""The scoring service, as the use cases need it."""

import asyncio
from collections.abc import Mapping, Sequence

import grpc
from leadscore.scoring.v1 import scoring_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2_grpc

from admin_service.domain.erased_rows import Verdicts

MAX_EVENTS = 500
"""Events of one call."""
MAX_CALLS = 4
"""Calls at a time."""


class ScoringService:
    """Asks the scoring service for verdicts."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(channel)
        self._calls = asyncio.Semaphore(MAX_CALLS)

    async def judge(self, lead_ids: Sequence[str], event_ids: Sequence[str]) -> Mapping[str, Verdicts]:
        """Returns the verdicts of those of the events that are recorded for some leads, by event id."""
        batches = [event_ids[start : start + MAX_EVENTS] for start in range(0, len(event_ids), MAX_EVENTS)]
        found: dict[str, Verdicts] = {}
        for each in await asyncio.gather(*(self._judge(lead_ids, batch) for batch in batches)):
            found |= each
        return found

    async def _judge(self, lead_ids: Sequence[str], event_ids: Sequence[str]) -> dict[str, Verdicts]:
        async with self._calls:
            request = pb.JudgeEventsRequest(lead_ids=lead_ids, event_ids=event_ids)
            response = await self._scoring.JudgeEvents(request)
        found: dict[str, Verdicts] = {}
        for judged in response.judged_events:
            verdicts: Verdicts = [[each.model_version, each.rule_id] for each in judged.verdicts]
            found |= dict.fromkeys(judged.event_ids, verdicts)
        return found
