"""Converts requests for the health of the model, and what was measured."""

from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.health import Health, HealthQuestion, Period, Stability
from scoring_service.servicer.requests import long_span, outcome_types
from scoring_service.servicer.simulation_messages import ranking_message
from scoring_service.usecases.health import HealthProgress
from shared import wire
from shared.rpc.arguments import optional_time


def health_question(request: pb.CheckModelHealthRequest) -> HealthQuestion:
    """Returns what to compare."""
    conversions, losses = outcome_types(request)
    return HealthQuestion(
        conversions,
        losses,
        long_span("landmark", request.landmark) if request.HasField("landmark") else None,
        long_span("horizon", request.horizon) if request.HasField("horizon") else None,
        optional_time("since_time", request),
    )


def health_progress(progress: HealthProgress) -> pb.CheckModelHealthResponse:
    """Returns the progress of an examination."""
    return pb.CheckModelHealthResponse(
        leads_checked=progress.leads_checked,
        leads_total=progress.leads_total,
        health=_health(progress, progress.health) if progress.health else None,
        done=progress.health is not None,
    )


def _health(progress: HealthProgress, found: Health) -> pb.ModelHealth:
    [landmark] = progress.question.landmarks
    return pb.ModelHealth(
        model_version=progress.version,
        since_time=wire.to_timestamp(progress.since),
        landmark=landmark,
        horizon=progress.question.horizon,
        before=_period(found.before),
        since=_period(found.since),
        stability=_stability(found.stability) if found.stability else None,
        unknown_event_types=[
            pb.UnknownTypeShare(event_type=event_type, before_count=before, since_count=since)
            for event_type, before, since in found.unknown_event_types
        ],
    )


def _period(found: Period) -> pb.PeriodHealth:
    return pb.PeriodHealth(
        lead_count=found.leads,
        ranking=ranking_message(found.ranking),
        event_count=found.events,
        unknown_event_count=found.unknown_events,
    )


def _stability(found: Stability) -> pb.ScoreStability:
    return pb.ScoreStability(
        index=found.index,
        chance_index=found.chance,
        bins=[
            pb.ScoreBin(minimum_score=each.minimum, before_count=each.before, since_count=each.since)
            for each in found.bins
        ],
    )
