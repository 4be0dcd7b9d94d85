"""Clients of the scoring service and the intelligence service that implement our ports."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from leadscore.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc

from automation_service.domain.feasibility import Model, NextAction, Stage
from automation_service.domain.inactivity import InactiveLead
from automation_service.domain.lead import ConversionProbability, Insight, Risk, Threshold
from automation_service.domain.need import BASICS, EVERYTHING, Need
from automation_service.ports import InactivePage
from shared import wire
from shared.deadlines import deadline
from shared.rpc.errors import WorkTooLarge
from shared.tasks import unhurried

MAX_LEADS = 500
"""The maximum number of leads in one request to the intelligence service."""
MAX_ANSWER_BYTES = 1_048_576
"""Target size of a response, in bytes. Requests name fewer leads if there is more data about each."""
MAX_OVERRUN = 8
"""How many times larger than the target a response can get if leads are larger than the previous ones."""
MAX_REQUESTS = 4
"""The maximum number of concurrent requests."""
REQUEST_SECONDS = 5.0
"""Deadline of a request, in seconds."""
PROBE_SECONDS = 2.0
"""Deadline of the smallest possible request, in seconds."""

_ALWAYS = ("lead_id", "score", "stage", "velocity", "risk", "next_action", "thresholds", "conversion_probability")
_RISKS = {intelligence_pb2.RISK_LOW: Risk.LOW, intelligence_pb2.RISK_HIGH: Risk.HIGH}
_MODEL_RISKS = {scoring_pb2.RISK_LOW: Risk.LOW, scoring_pb2.RISK_HIGH: Risk.HIGH}


class ScoringModels:
    """Implements `Models` with the scoring service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(channel)

    async def in_force(self) -> Model:
        """Returns the model in force; see `Models`."""
        return _model((await self._scoring.GetScoringModel(scoring_pb2.GetScoringModelRequest())).scoring_model)


class ScoringInactiveLeads:
    """Implements `InactiveLeads` with the scoring service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(channel)

    async def page(self, since: datetime, token: str, limit: int) -> InactivePage:
        """Returns one page of leads; see `InactiveLeads`."""
        request = scoring_pb2.ListInactiveLeadsRequest(
            inactive_since=wire.to_timestamp(since), page_token=token, page_size=limit
        )
        with deadline(REQUEST_SECONDS):
            page = await self._scoring.ListInactiveLeads(request)
        leads = [
            InactiveLead(each.lead_id, each.score, each.stage, wire.to_time(each.last_event_time), each.sequence)
            for each in page.inactive_leads
        ]
        return InactivePage(leads, page.next_page_token, page.decayed_through_date)


class IntelligenceInsights:
    """Implements `Insights` with the intelligence service.

    It splits a query into concurrent requests, each with its own deadline. A request names fewer leads if there is more
    data about each.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._intelligence = intelligence_pb2_grpc.IntelligenceServiceStub(channel)
        self._lead_bytes: float = EVERYTHING.max_bytes

    async def of(self, lead_ids: Collection[str], need: Need) -> Mapping[str, Insight]:
        """Returns the current insights; see `Insights`."""
        size = self._leads_per_request(need)
        remaining, slots = iter(lead_ids), asyncio.Semaphore(MAX_REQUESTS)

        async def request(batch: Sequence[str]) -> Mapping[str, Insight]:
            async with slots:
                return await self._request(batch, need)

        requests = [asyncio.create_task(request(batch)) for batch in iter(lambda: list(islice(remaining, size)), [])]
        try:
            return {lead_id: insight for each in await asyncio.gather(*requests) for lead_id, insight in each.items()}
        finally:
            for each in requests:
                each.cancel()

    async def _request(self, lead_ids: Sequence[str], need: Need) -> Mapping[str, Insight]:
        try:
            with deadline(REQUEST_SECONDS):
                response = await self._intelligence.BatchGetLeadIntelligence(_request(lead_ids, need))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED or not await self._is_responsive(lead_ids[0]):
                raise
            raise WorkTooLarge(_too_large(lead_ids)) from error
        found = response.lead_intelligence
        if found and need != BASICS:
            self._lead_bytes = max(response.ByteSize() / len(found), self._lead_bytes / 2)
        return {each.lead_id: insight for each, insight in zip(found, await unhurried(_insight, found), strict=True)}

    def _leads_per_request(self, need: Need) -> int:
        """Returns how many leads fit into a response, assuming they are at most twice as large as the previous ones.

        If all leads are as large as possible, the response is at most `MAX_OVERRUN` times larger than the target.
        """
        expected = min(need.max_bytes, max(2 * self._lead_bytes, need.max_bytes / MAX_OVERRUN))
        return max(1, min(MAX_LEADS, int(MAX_ANSWER_BYTES / expected)))

    async def _is_responsive(self, lead_id: str) -> bool:
        """Returns whether the service answers the smallest request. If so, the one that timed out was too large."""
        request = intelligence_pb2.BatchGetLeadIntelligenceRequest(
            lead_ids=[lead_id], read_mask=FieldMask(paths=["score"])
        )
        try:
            with deadline(PROBE_SECONDS):
                await self._intelligence.BatchGetLeadIntelligence(request)
        except grpc.aio.AioRpcError:
            return False
        return True


def _request(lead_ids: Sequence[str], need: Need) -> intelligence_pb2.BatchGetLeadIntelligenceRequest:
    paths = list(_ALWAYS)
    if need.fit:
        paths.append("fit")
    if need.attributes is None or need.attributes:
        paths.append("attributes")
    return intelligence_pb2.BatchGetLeadIntelligenceRequest(
        lead_ids=lead_ids, read_mask=FieldMask(paths=paths), attribute_names=sorted(need.attributes or ())
    )


def _too_large(lead_ids: Sequence[str]) -> str:
    subject = f"lead {lead_ids[0][:40]!r}" if len(lead_ids) == 1 else f"{len(lead_ids)} leads"
    return (
        f"the intelligence service does not answer about {subject} within {REQUEST_SECONDS:g} s, although it answers "
        "smaller requests: use fewer attributes in rules, or retract events of the lead, then retry"
    )


def _insight(intelligence: intelligence_pb2.LeadIntelligence) -> Insight:
    return Insight(
        velocity=intelligence.velocity,
        risk=_RISKS[intelligence.risk],
        next_action=intelligence.next_action,
        score=intelligence.score,
        stage=intelligence.stage,
        attributes=wire.to_dict(intelligence.attributes),
        fit_grade=intelligence.fit.grade,
        why=tuple(Threshold(each.decided, each.outcome, each.explanation) for each in intelligence.thresholds),
        conversion_probability=_probability(intelligence.conversion_probability)
        if intelligence.HasField("conversion_probability")
        else None,
    )


def _probability(found: intelligence_pb2.ConversionProbability) -> ConversionProbability:
    return ConversionProbability(
        probability=found.probability,
        low=found.low,
        high=found.high,
        lead_count=found.lead_count,
        landmark=wire.to_span(found.landmark),
        horizon=wire.to_span(found.horizon) if found.HasField("horizon") else None,
    )


def _model(model: scoring_pb2.ScoringModel) -> Model:
    return Model(
        stages=tuple(Stage(each.stage, each.minimum_score) for each in model.stages),
        score_floor=model.score_floor,
        score_ceiling=model.score_ceiling,
        next_actions=tuple(
            NextAction(row.next_action, tuple(row.stages), row.minimum_velocity, _MODEL_RISKS.get(row.risk))
            for row in model.next_actions
        ),
        idle=model.risk.idle.ToTimedelta(),
    )
