"""Translates between gRPC and the domain, and maps errors to statuses."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

import grpc
from leadscore.intelligence.v1 import intelligence_pb2 as pb
from leadscore.intelligence.v1 import intelligence_pb2_grpc

from intelligence_service.domain.insight import (
    Contribution,
    ConversionProbability,
    Fit,
    Hypothesis,
    Insight,
    JudgedEffect,
    LeadNotFound,
)
from intelligence_service.domain.model import Risk
from intelligence_service.domain.summary import Summary
from intelligence_service.domain.watch import Interest, ResumeTokenExpired, TooManyWatchers, WatcherTooSlow
from intelligence_service.ports import Order, Wanted
from intelligence_service.usecases import Intelligence
from intelligence_service.watchers import Watchers, WatchUpdate
from shared import wire
from shared.access.errors import ACCESS
from shared.rpc import arguments, pagination
from shared.rpc.admission import StreamKind, StreamTable
from shared.rpc.errors import ARGUMENTS, ErrorRow, ErrorTable, InvalidArgument
from shared.rpc.handlers import Context
from shared.rpc.read_masks import ReadMask, read_mask
from shared.tasks import unhurried

SERVICE = "leadscore.intelligence.v1.IntelligenceService"

STREAMS: StreamTable = {"WatchLeads": StreamKind.WATCH}
MAX_LEADS = 500
"""Leads in a batch or a page."""

MAX_STAGES = 100
"""Stages that a watcher can name."""

ERRORS: ErrorTable = {
    **ARGUMENTS,
    **ACCESS,
    LeadNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "LEAD_NOT_FOUND"),
    WatcherTooSlow: ErrorRow(grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCHER_TOO_SLOW"),
    TooManyWatchers: ErrorRow(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS"),
    ResumeTokenExpired: ErrorRow(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED"),
}

_ORDERS = {
    pb.TOP_ORDER_UNSPECIFIED: Order.SCORE,
    pb.TOP_ORDER_SCORE: Order.SCORE,
    pb.TOP_ORDER_LAST_EVENT_TIME: Order.LAST_EVENT_TIME,
}
_RISKS = {Risk.LOW: pb.RISK_LOW, Risk.HIGH: pb.RISK_HIGH}


class IntelligenceServicer(intelligence_pb2_grpc.IntelligenceServiceServicer):
    """Implements the IntelligenceService: translates requests and responses for the use cases."""

    def __init__(self, intelligence: Intelligence, watchers: Watchers) -> None:
        self._intelligence = intelligence
        self._watchers = watchers

    async def GetLeadIntelligence(
        self, request: pb.GetLeadIntelligenceRequest, context: Context
    ) -> pb.GetLeadIntelligenceResponse:
        """See `intelligence.proto`."""
        lead_id = arguments.identifier("lead_id", request.lead_id)
        insight = await self._intelligence.one(lead_id, _as_of_time(request))
        return pb.GetLeadIntelligenceResponse(lead_intelligence=_lead_intelligence(insight))

    async def BatchGetLeadIntelligence(
        self, request: pb.BatchGetLeadIntelligenceRequest, context: Context
    ) -> pb.BatchGetLeadIntelligenceResponse:
        """See `intelligence.proto`."""
        lead_ids = arguments.identifiers("lead_ids", request.lead_ids, limit=MAX_LEADS)
        mask = read_mask(request, pb.LeadIntelligence)
        insights, missing = await self._intelligence.batch(lead_ids, _as_of_time(request), _wanted(mask))
        return pb.BatchGetLeadIntelligenceResponse(
            lead_intelligence=await unhurried(lambda insight: mask.apply(_lead_intelligence(insight)), insights),
            missing_lead_ids=missing,
        )

    async def PreviewLeadIntelligence(
        self, request: pb.PreviewLeadIntelligenceRequest, context: Context
    ) -> pb.PreviewLeadIntelligenceResponse:
        """See `intelligence.proto`."""
        lead_id = arguments.identifier("lead_id", request.lead_id)
        found = await self._intelligence.preview(
            lead_id, [Hypothesis(each.event_type, each.properties) for each in request.events]
        )
        return pb.PreviewLeadIntelligenceResponse(
            lead_intelligence=_lead_intelligence(found.insight),
            event_effects=[_effect(each) for each in found.events],
            rule_effects=[_effect(each) for each in found.rules],
        )

    async def ListTopLeads(self, request: pb.ListTopLeadsRequest, context: Context) -> pb.ListTopLeadsResponse:
        """See `intelligence.proto`."""
        insights, next_page_token = await self._intelligence.top(
            _order(request.order),
            arguments.optional_text("stage", request.stage),
            pagination.page_size(request.page_size, default=20, limit=MAX_LEADS),
            request.page_token,
        )
        return pb.ListTopLeadsResponse(
            lead_intelligence=[_lead_intelligence(insight) for insight in insights], next_page_token=next_page_token
        )

    async def GetPipelineSummary(
        self, request: pb.GetPipelineSummaryRequest, context: Context
    ) -> pb.GetPipelineSummaryResponse:
        """See `intelligence.proto`."""
        return _summary(await self._intelligence.summary())

    async def WatchLeads(
        self, request: pb.WatchLeadsRequest, context: Context
    ) -> AsyncGenerator[pb.WatchLeadsResponse, None]:
        """See `intelligence.proto`."""
        interest, token = _interest(request), request.resume_token
        async with contextlib.aclosing(self._watchers.watch(interest, token)) as updates:
            async for update in updates:
                yield _watch_update(update)


def _wanted(mask: ReadMask) -> Wanted:
    return Wanted(
        recent_events=mask.names_any("velocity", "next_action", "churned", "thresholds"),
        contributions=mask.names_any("top_rules"),
        fit=mask.names_any("fit"),
        thresholds=mask.names_any("thresholds"),
        attributes=mask.attributes,
    )


def _interest(request: pb.WatchLeadsRequest) -> Interest:
    return Interest(
        stages=frozenset(_identifiers("stages", request.stages, MAX_STAGES)),
        minimum_score=request.minimum_score if request.HasField("minimum_score") else None,
        lead_ids=frozenset(_identifiers("lead_ids", request.lead_ids, MAX_LEADS)),
    )


def _identifiers(field: str, texts: Sequence[str], limit: int) -> Sequence[str]:
    return arguments.identifiers(field, texts, limit=limit) if texts else ()


def _watch_update(update: WatchUpdate) -> pb.WatchLeadsResponse:
    change = update.change
    return pb.WatchLeadsResponse(
        resume_token=update.token,
        change=pb.LeadChange(
            lead_id=change.lead_id,
            sequence=change.sequence,
            score_before=change.score_before,
            score_after=change.score_after,
            stage_before=change.stage_before,
            stage_after=change.stage_after,
            event_types=change.event_types,
            record_time=wire.to_timestamp(change.record_time),
        )
        if change
        else None,
        lead_intelligence=_lead_intelligence(update.insight) if update.insight else None,
    )


def _as_of_time(request: pb.GetLeadIntelligenceRequest | pb.BatchGetLeadIntelligenceRequest) -> datetime | None:
    return arguments.time("as_of_time", request.as_of_time) if request.HasField("as_of_time") else None


def _order(order: pb.TopOrder) -> Order:
    if order not in _ORDERS:
        raise InvalidArgument("order", f"unknown order {order}")
    return _ORDERS[order]


def _lead_intelligence(insight: Insight) -> pb.LeadIntelligence:
    facts, verdict = insight.facts, insight.verdict
    return pb.LeadIntelligence(
        lead_id=facts.lead_id,
        as_of_time=wire.to_timestamp(facts.as_of_time),
        score=facts.score,
        stage=facts.stage,
        velocity=verdict.velocity,
        risk=_RISKS[verdict.risk],
        next_action=verdict.row.next_action,
        churned=verdict.churned,
        thresholds=[
            pb.FiredThreshold(decided=each.decided, outcome=each.outcome, explanation=each.explanation)
            for each in insight.thresholds
        ],
        top_rules=[_contribution(each) for each in insight.top_rules],
        last_event_time=wire.to_timestamp(facts.last_event_time) if facts.last_event_time else None,
        event_count=facts.event_count,
        attributes=facts.attributes,
        model_version=facts.model_version,
        fit=_fit(facts.fit),
        conversion_probability=_probability(facts.conversion_probability),
    )


def _effect(judged: JudgedEffect) -> pb.EventEffect:
    effect, verdict = judged
    return pb.EventEffect(
        rule_id=effect.rule_id,
        event_types=effect.event_types,
        delta=effect.delta,
        score=effect.score,
        stage=effect.stage,
        conversion_probability=_probability(effect.conversion_probability),
        fit=_fit(effect.fit),
        velocity=verdict.velocity,
        next_action=verdict.row.next_action,
    )


def _fit(fit: Fit | None) -> pb.Fit | None:
    return pb.Fit(points=fit.points, grade=fit.grade, rating=fit.rating) if fit else None


def _probability(found: ConversionProbability | None) -> pb.ConversionProbability | None:
    if found is None:
        return None
    return pb.ConversionProbability(
        probability=found.probability,
        low=found.low,
        high=found.high,
        lead_count=found.lead_count,
        landmark=found.landmark,
        horizon=found.horizon,
    )


def _contribution(contribution: Contribution) -> pb.RuleContribution:
    return pb.RuleContribution(rule_id=contribution.rule_id, points=contribution.points)


def _summary(summary: Summary) -> pb.GetPipelineSummaryResponse:
    return pb.GetPipelineSummaryResponse(
        lead_count=summary.lead_count,
        stages=_counts(summary.stages),
        risks=_counts(summary.risks),
        next_actions=_counts(summary.next_actions),
        scores=[
            pb.ScoreRange(
                minimum_score=each.minimum_score, maximum_score=each.maximum_score, lead_count=each.lead_count
            )
            for each in summary.scores
        ],
        churned_count=summary.churned_count,
        as_of_time=wire.to_timestamp(summary.as_of_time),
        model_version=summary.model_version,
    )


def _counts(counts: dict[str, int]) -> list[pb.Count]:
    return [pb.Count(name=name, lead_count=count) for name, count in counts.items()]
