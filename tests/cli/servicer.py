"""Services in this process, with models and leads in memory, and the command line that talks to them."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_status import rpc_status
from leadscore.automation.v1 import automation_pb2, automation_pb2_grpc
from leadscore.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2_grpc
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.local.demo import free_base_port
from cli.local.up import HEALTH_OFFSET
from cli.terminal.connection import SERVICES, full_name
from shared.rpc.errors import ErrorRow, ErrorTable, status_of

NOON = Timestamp(seconds=1_769_860_800)
PAGE = 500
"""The most that a page holds."""


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


class Service(scoring_pb2_grpc.ScoringServiceServicer):
    """Keeps models and publications; a model without rules is invalid. `requests` are all calls, oldest first."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.models: list[pb.ScoringModel] = []
        self.publications: list[pb.ModelPublication] = []
        self.answers: Iterable[Any] = []
        """What a stream answers."""
        self.parked_events = 1
        self.leads_left = 0
        """How many leads a publication changes; each look at the publications finds one less."""
        self.backlog = pb.GetScoringBacklogResponse()
        self.rules = Rules()  # type: ignore[abstract]  # other calls are answered with UNIMPLEMENTED
        self.health = HealthServicer()
        """The health of all services, and of workers."""
        self._store(built_in())
        self.models[0].state = pb.MODEL_STATE_IN_FORCE

    def GetScoringModel(self, request: Any, context: grpc.ServicerContext) -> pb.GetScoringModelResponse:
        """See `scoring.proto`."""
        self.requests.append(request)
        if request.version > len(self.models):
            refuse(context, Missing("there is no such version"))
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
            refuse(context, Invalid("the model has 2 mistakes; rules[0].points: must not be 0"))
        if request.validate_only:
            return pb.CreateScoringModelResponse(scoring_model=request.scoring_model)
        return pb.CreateScoringModelResponse(scoring_model=self._store(request.scoring_model))

    def PublishScoringModel(self, request: Any, context: grpc.ServicerContext) -> pb.PublishScoringModelResponse:
        """See `scoring.proto`."""
        self.requests.append(request)
        if request.base_version != self._in_force():
            refuse(context, Outdated(f"version {self._in_force()} is in force, not {request.base_version}"))
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
        )
        self.publications.append(publication)
        return pb.PublishScoringModelResponse(publication=publication)

    def ListModelPublications(self, request: Any, context: grpc.ServicerContext) -> pb.ListModelPublicationsResponse:
        """See `scoring.proto`."""
        if self.publications and self.publications[-1].leads_left:
            self.publications[-1].leads_left -= 1
        return pb.ListModelPublicationsResponse(publications=self.publications[::-1])

    def SimulateScoringModel(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
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


class Rules(automation_pb2_grpc.AutomationServiceServicer):
    """Lets one rule fire for whatever enters the stage `hot`; lists more rules and executions than pages hold."""

    def __init__(self) -> None:
        self.backlog = automation_pb2.GetAutomationBacklogResponse()

    def GetAutomationBacklog(
        self, request: Any, context: grpc.ServicerContext
    ) -> automation_pb2.GetAutomationBacklogResponse:
        """See `automation.proto`."""
        return self.backlog

    def ListAutomationRules(
        self, request: automation_pb2.ListAutomationRulesRequest, context: grpc.ServicerContext
    ) -> automation_pb2.ListAutomationRulesResponse:
        """See `automation.proto`."""
        numbers, token = page(2 * PAGE + 1, request)
        rules = [automation_pb2.AutomationRule(rule_id=f"r-{number + 1}") for number in numbers]
        return automation_pb2.ListAutomationRulesResponse(rules=rules, next_page_token=token)

    def DeleteAutomationRule(
        self, request: automation_pb2.DeleteAutomationRuleRequest, context: grpc.ServicerContext
    ) -> automation_pb2.DeleteAutomationRuleResponse:
        """See `automation.proto`."""
        return automation_pb2.DeleteAutomationRuleResponse()

    def ListAutomationExecutions(
        self, request: automation_pb2.ListAutomationExecutionsRequest, context: grpc.ServicerContext
    ) -> automation_pb2.ListAutomationExecutionsResponse:
        """See `automation.proto`."""
        numbers, token = page(2 * PAGE + 1, request)
        executions = [
            automation_pb2.AutomationExecution(execution_id=f"x-{number + 1}", lead_id=request.lead_id)
            for number in numbers
        ]
        return automation_pb2.ListAutomationExecutionsResponse(executions=executions, next_page_token=token)

    def PreviewAutomationRules(
        self, request: automation_pb2.PreviewAutomationRulesRequest, context: grpc.ServicerContext
    ) -> automation_pb2.PreviewAutomationRulesResponse:
        """See `automation.proto`."""
        count = sum(1 for each in request.changes if each.stage_after == "hot")
        rules = [automation_pb2.RulePreview(rule_id="call-hot", lead_count=count)]
        return automation_pb2.PreviewAutomationRulesResponse(rules=rules)

    def ListParkedChanges(
        self, request: Any, context: grpc.ServicerContext
    ) -> automation_pb2.ListParkedChangesResponse:
        """See `automation.proto`."""
        change = automation_pb2.ParkedChange(change_id="bob:2", lead_id="bob", attempts=5, reason="[boom]\x1b")
        return automation_pb2.ListParkedChangesResponse(parked_changes=[change])

    def RetryParkedChanges(
        self, request: Any, context: grpc.ServicerContext
    ) -> automation_pb2.RetryParkedChangesResponse:
        """See `automation.proto`."""
        return automation_pb2.RetryParkedChangesResponse(retried_count=2)

    def DiscardParkedChanges(
        self, request: Any, context: grpc.ServicerContext
    ) -> automation_pb2.DiscardParkedChangesResponse:
        """See `automation.proto`."""
        return automation_pb2.DiscardParkedChangesResponse(discarded_count=2)


class Insights(intelligence_pb2_grpc.IntelligenceServiceServicer):
    """Lists more leads than a page holds."""

    def ListTopLeads(
        self, request: intelligence_pb2.ListTopLeadsRequest, context: grpc.ServicerContext
    ) -> intelligence_pb2.ListTopLeadsResponse:
        """See `intelligence.proto`."""
        numbers, token = page(2 * PAGE + 1, request)
        found = [
            intelligence_pb2.LeadIntelligence(lead_id=f"l-{number + 1}", stage=request.stage) for number in numbers
        ]
        return intelligence_pb2.ListTopLeadsResponse(lead_intelligence=found, next_page_token=token)


def page(count: int, request: Any) -> tuple[Sequence[int], str]:
    """Returns which of so many items are on the page that a request asks for, and the token of the next one."""
    begin = int(request.page_token or 0)
    end = begin + min(request.page_size, PAGE)
    return range(count)[begin:end], str(end) if end < count else ""


def refuse(context: grpc.ServicerContext, error: Exception) -> None:
    """Ends a call as the real service does."""
    context.abort_with_status(rpc_status.to_status(status_of(error, ERRORS)))


Run = Callable[..., Result]
"""Runs `leadscore` with some arguments against a service; options are those of `CliRunner.invoke`."""


@contextmanager
def serving(*, automation: bool = False, worker: str = "") -> Iterator[tuple[Service, Run]]:
    """Serves in this process, with an automation service if asked, and yields the command line that talks to it.

    With `worker`, the name of a worker's health, all services are served, and the worker's health at its port.
    """
    service = Service()  # type: ignore[abstract]  # other calls are answered with UNIMPLEMENTED
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        scoring_pb2_grpc.add_ScoringServiceServicer_to_server(service, server)
        automation_pb2_grpc.add_AutomationServiceServicer_to_server(service.rules, server)
        health_pb2_grpc.add_HealthServicer_to_server(service.health, server)
        for name in ("", worker, *map(full_name, SERVICES)):
            service.health.set(name, HealthCheckResponse.SERVING)
        base = free_base_port()
        insights = Insights()  # type: ignore[abstract]  # the same
        intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(insights, server)
        # Their ports are those after that of the ingest service.
        server.add_insecure_port(f"127.0.0.1:{base + 1}")
        if worker:
            server.add_insecure_port(f"127.0.0.1:{base}")
            server.add_insecure_port(f"127.0.0.1:{base + HEALTH_OFFSET}")
        if automation or worker:
            server.add_insecure_port(f"127.0.0.1:{base + 2}")
        server.add_insecure_port(f"127.0.0.1:{base + 3}")
        environment = {"LEADSCORE_BASE_PORT": str(base), "COLUMNS": "100"}
        server.start()
        try:
            yield (
                service,
                lambda *arguments, **options: CliRunner().invoke(
                    app, list(map(str, arguments)), env=environment, **options
                ),
            )
        finally:
            server.stop(0).wait()


def json_of(result: Result) -> list[dict[str, Any]]:
    """Returns what a command printed as JSON."""
    return [json.loads(line) for line in result.stdout.splitlines()]
