"""Who may call which method, and which calls are audited."""

from leadscore.scoring.v1 import scoring_pb2 as pb

from shared.access.enforcement import Methods
from shared.access.roles import Role


def _lead(request: pb.AdjustLeadScoreRequest) -> str:
    return f"lead {request.lead_id}"


def _event(request: pb.RetractEventRequest) -> str:
    return f"event {request.event_id}"


def _events(request: pb.RetryParkedEventsRequest | pb.DiscardParkedEventsRequest) -> str:
    return "all parked events" if request.all else f"events {', '.join(request.event_ids)}"


def _ticks(request: pb.ResetDecayRequest) -> str:
    return f"decay after {request.to_date}"


def _draft(request: pb.CreateScoringModelRequest) -> str:
    return "" if request.validate_only else "a new model"


def _model(request: pb.PublishScoringModelRequest) -> str:
    return f"model {request.version}"


METHODS = Methods(
    roles={
        "GetLeadScore": Role.READ,
        "BatchGetLeadScores": Role.READ,
        "ListLeadScores": Role.READ,
        "ListInactiveLeads": Role.READ,
        "CountLeads": Role.READ,
        "PreviewLeadScore": Role.READ,
        "ListScoreHistory": Role.READ,
        "ListScoreEntries": Role.READ,
        "ListEvents": Role.READ,
        "JudgeEvents": Role.SERVICE,
        "GetScoringBacklog": Role.READ,
        "GetScoringModel": Role.READ,
        "ListScoringModels": Role.READ,
        "ListModelPublications": Role.READ,
        "DecayScores": Role.OPERATE,
        "ResetDecay": Role.OPERATE,
        "RebuildLeadScore": Role.OPERATE,
        "RebuildLeadScores": Role.OPERATE,
        "VerifyScores": Role.OPERATE,
        "ListParkedEvents": Role.OPERATE,
        "RetryParkedEvents": Role.OPERATE,
        "DiscardParkedEvents": Role.OPERATE,
        "AdjustLeadScore": Role.OPERATE,
        "RetractEvent": Role.OPERATE,
        "CreateScoringModel": Role.PUBLISH,
        "PublishScoringModel": Role.PUBLISH,
        "SimulateScoringModel": Role.PUBLISH,
        "CheckModelHealth": Role.OPERATE,
    },
    audited={
        "AdjustLeadScore": _lead,
        "RetractEvent": _event,
        "ResetDecay": _ticks,
        "RetryParkedEvents": _events,
        "DiscardParkedEvents": _events,
        "CreateScoringModel": _draft,
        "PublishScoringModel": _model,
    },
)
