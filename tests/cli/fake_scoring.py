"""A scoring service with models and leads in memory."""

from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_status import rpc_status
from leadscore.scoring.v1 import scoring_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2_grpc

from shared.rpc.errors import ErrorRow, ErrorTable, status_of
from tests.cli.fake_pages import page

NOON = Timestamp(seconds=1_769_860_800)


class Invalid(Exception):
    """A model breaks rules for models."""

    violations = (("rules[0].points", "must not be 0"), ("stages[1].minimum_score", "must be above 0"))


class Outdated(Exception):
    """Another version is in force."""


class Missing(Exception):
    """There is no such version."""


ERRORS: ErrorTable = {
    Invalid: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "MODEL_INVALID"),
    Outdated: ErrorRow(grpc.StatusCode.ABORTED, "MODEL_OUTDATED"),
    Missing: ErrorRow(grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
}


def built_in() -> pb.ScoringModel:
    """Returns a small model."""
    return pb.ScoringModel(
        display_name="built-in",
        rules=[pb.ScoringRule(rule_id="signup", event_types=["signup"], points=20)],
        score_ceiling=100,
        stages=[pb.Stage(stage="cold"), pb.Stage(stage="hot", minimum_score=30)],
        velocity={"window": {"seconds": 86_400}, "weight": 3},
        risk={"idle": {"seconds": 604_800}},
        next_actions=[pb.NextAction(next_action="monitor")],
    )


class FakeScoring(scoring_pb2_grpc.ScoringServiceServicer):
    """Keeps models and publications; a model without rules is invalid. `requests` are all calls, oldest first."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.models: list[pb.ScoringModel] = []
        self.publications: list[pb.ModelPublication] = []
        self.type_mismatches: list[pb.TypeMismatch] = []
        """What a validation warns of."""
        self.answers: Iterable[Any] = []
        """What a stream answers."""
        self.parked_events = 1
        self.lead_scores: list[pb.LeadScore] = []
        self.entries: list[pb.ScoreEntry] = []
        self.leads_left = 0
        """How many leads a publication changes; each look at the publications finds one less."""
        self.backlog = pb.GetScoringBacklogResponse()
        self._store(built_in())
        self.models[0].state = pb.MODEL_STATE_IN_FORCE

    def GetScoringModel(self, request: Any, context: grpc.ServicerContext) -> pb.GetScoringModelResponse:
        """See `scoring.proto`."""
        self.requests.append(request)
        if request.version > len(self.models):
            _refuse(context, Missing("there is no such version"))
        version = request.version or self._in_force()
        return pb.GetScoringModelResponse(scoring_model=self.models[version - 1])

    def ListScoringModels(self, request: Any, context: grpc.ServicerContext) -> pb.ListScoringModelsResponse:
        """See `scoring.proto`; pages hold one."""
        newest = self.models[::-1]
        index = int(request.page_token or 0)
        token = str(index + 1) if index + 1 < len(newest) else ""
        return pb.ListScoringModelsResponse(scoring_models=[newest[index]], next_page_token=token)

    def CreateScoringModel(self, request: Any, context: grpc.ServicerContext) -> pb.CreateScoringModelResponse:
        """See `scoring.proto`."""
        self.requests.append(request)
        if not request.scoring_model.rules:
            _refuse(context, Invalid("the model has 2 mistakes; rules[0].points: must not be 0"))
        if request.validate_only:
            return pb.CreateScoringModelResponse(
                scoring_model=request.scoring_model, type_mismatches=self.type_mismatches
            )
        return pb.CreateScoringModelResponse(scoring_model=self._store(request.scoring_model))

    def PublishScoringModel(self, request: Any, context: grpc.ServicerContext) -> pb.PublishScoringModelResponse:
        """See `scoring.proto`."""
        self.requests.append(request)
        if request.base_version != self._in_force():
            _refuse(context, Outdated(f"version {self._in_force()} is in force, not {request.base_version}"))
        self.models[self._in_force() - 1].state = pb.MODEL_STATE_RETIRED
        self.models[request.version - 1].state = pb.MODEL_STATE_IN_FORCE
        publication = pb.ModelPublication(
            publication=len(self.publications) + 1,
            version=request.version,
            base_version=request.base_version,
            mode=request.mode,
            publish_time=NOON,
            actor=request.actor,
            note=request.note,
            leads_left=self.leads_left,
            quiet=request.quiet,
        )
        self.publications.append(publication)
        return pb.PublishScoringModelResponse(publication=publication)

    def ListModelPublications(self, request: Any, context: grpc.ServicerContext) -> pb.ListModelPublicationsResponse:
        """See `scoring.proto`."""
        if self.publications and self.publications[-1].leads_left:
            self.publications[-1].leads_left -= 1
        return pb.ListModelPublicationsResponse(publications=self.publications[::-1])

    def ListLeadScores(self, request: Any, context: grpc.ServicerContext) -> pb.ListLeadScoresResponse:
        """See `scoring.proto`."""
        numbers, token = page(len(self.lead_scores), request)
        return pb.ListLeadScoresResponse(
            lead_scores=[self.lead_scores[number] for number in numbers], next_page_token=token
        )

    def ListScoreEntries(self, request: Any, context: grpc.ServicerContext) -> pb.ListScoreEntriesResponse:
        """See `scoring.proto`."""
        numbers, token = page(len(self.entries), request)
        return pb.ListScoreEntriesResponse(entries=[self.entries[number] for number in numbers], next_page_token=token)

    def SimulateScoringModel(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """See `scoring.proto`."""
        self.requests.append(request)
        yield from self.answers

    def CheckModelHealth(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """See `scoring.proto`."""
        self.requests.append(request)
        yield from self.answers

    def GetScoringBacklog(self, request: Any, context: grpc.ServicerContext) -> pb.GetScoringBacklogResponse:
        """See `scoring.proto`."""
        return self.backlog

    def DecayScores(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """See `scoring.proto`."""
        self.requests.append(request)
        yield from self.answers

    def ResetDecay(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """See `scoring.proto`."""
        self.requests.append(request)
        yield from self.answers

    def VerifyScores(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """See `scoring.proto`."""
        self.requests.append(request)
        yield from self.answers

    def RebuildLeadScores(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """See `scoring.proto`."""
        self.requests.append(request)
        yield from self.answers

    def RebuildLeadScore(self, request: Any, context: grpc.ServicerContext) -> pb.RebuildLeadScoreResponse:
        """See `scoring.proto`."""
        self.requests.append(request)
        return pb.RebuildLeadScoreResponse(lead_score=pb.LeadScore(score=30), changed=True, score_before=20)

    def AdjustLeadScore(self, request: Any, context: grpc.ServicerContext) -> pb.AdjustLeadScoreResponse:
        """See `scoring.proto`."""
        self.requests.append(request)
        delta = request.delta if request.HasField("delta") else request.target - 50
        entry = pb.ScoreEntry(lead_id=request.lead_id, delta=delta, score_before=50, score_after=50 + delta)
        return pb.AdjustLeadScoreResponse(entry=entry)

    def RetractEvent(self, request: Any, context: grpc.ServicerContext) -> pb.RetractEventResponse:
        """See `scoring.proto`."""
        self.requests.append(request)
        entry = pb.ScoreEntry(lead_id="ada", score_before=50, score_after=30, delta=-20, stage_after="warm")
        if request.event_id == "parked":
            return pb.RetractEventResponse(lead_id="ada", discarded=True)
        return pb.RetractEventResponse(lead_id="ada", entry=entry)

    def ListParkedEvents(self, request: Any, context: grpc.ServicerContext) -> pb.ListParkedEventsResponse:
        """See `scoring.proto`."""
        numbers, token = page(self.parked_events, request)
        event = pb.ParkedEvent(lead_id="ada", attempts=5, reason="KeyError: 'points'", park_time=NOON)
        answer = pb.ListParkedEventsResponse(next_page_token=token)
        for number in numbers:
            event.event_id = f"e-{number + 1}"
            answer.parked_events.append(event)
        return answer

    def RetryParkedEvents(self, request: Any, context: grpc.ServicerContext) -> pb.RetryParkedEventsResponse:
        """See `scoring.proto`."""
        self.requests.append(request)
        return pb.RetryParkedEventsResponse(retried_count=1)

    def DiscardParkedEvents(self, request: Any, context: grpc.ServicerContext) -> pb.DiscardParkedEventsResponse:
        """See `scoring.proto`."""
        self.requests.append(request)
        return pb.DiscardParkedEventsResponse(discarded_count=1)

    def _in_force(self) -> int:
        return next(model.version for model in self.models if model.state == pb.MODEL_STATE_IN_FORCE)

    def _store(self, model: pb.ScoringModel) -> pb.ScoringModel:
        stored = pb.ScoringModel()
        stored.CopyFrom(model)
        stored.version, stored.state = len(self.models) + 1, pb.MODEL_STATE_DRAFT
        stored.create_time.CopyFrom(NOON)
        self.models.append(stored)
        return stored


def _refuse(context: grpc.ServicerContext, error: Exception) -> None:
    """Ends a call as the real service does."""
    context.abort_with_status(rpc_status.to_status(status_of(error, ERRORS)))
