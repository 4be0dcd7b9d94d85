"""Implements the ports with the scoring service, and translates its errors."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from leadscore.scoring.v1 import scoring_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2_grpc

from intelligence_service.domain.insight import (
    Contribution,
    ConversionProbability,
    Fit,
    Hypothesis,
    LeadFacts,
    LeadNotFound,
    ScoreEffect,
)
from intelligence_service.domain.model import Model, NextAction, Risk, Stage
from intelligence_service.domain.summary import Grouping, LeadGroup
from intelligence_service.ports import EVERYTHING, Order, Page, ScorePreview, Wanted
from shared import wire
from shared.deadlines import DEFAULT_SECONDS
from shared.group_commit import GroupCommit
from shared.rpc.errors import InvalidArgument, InvalidPageToken
from shared.tasks import unhurried

MAX_MODELS = 100
"""Model versions kept in memory."""
MAX_TOGETHER = 100
"""Leads whose live facts are read together when each is asked for alone."""
MAX_EVENTS_TOGETHER = 2_000
"""Largest number of recent events of a lead that is read with others; MongoDB counts so many in about a millisecond."""
MAX_BUSY = 1_000
"""Maximum number of remembered leads that have more recent events."""

_ALWAYS_READ = (
    "lead_id",
    "as_of_time",
    "score",
    "stage",
    "event_count",
    "last_event_time",
    "model_version",
    "conversion_probability",
)
"""Fields that are always read: every verdict needs them, or they cost nothing."""
_SERVICE = "leadscore.scoring.v1.ScoringService"
_ORDERS = {
    Order.SCORE: pb.LEAD_ORDER_SCORE,
    Order.LAST_EVENT_TIME: pb.LEAD_ORDER_LAST_EVENT_TIME,
}
_RISKS = {pb.RISK_UNSPECIFIED: None, pb.RISK_LOW: Risk.LOW, pb.RISK_HIGH: Risk.HIGH}


class ScoringServiceReader:
    """Implements `ScoreReader` with the scoring service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(channel)
        # A call to the scoring service costs as much as the facts of ten leads.
        self._together = GroupCommit(self._live, limit=MAX_TOGETHER, seconds=DEFAULT_SECONDS)
        self._busy: set[str] = set()

    async def one(self, lead_id: str, as_of_time: datetime | None) -> LeadFacts:
        """Returns the facts of a lead; see `ScoreReader`.

        Live facts are read together: one call reads those that were asked for while the previous one was under way. A
        lead with very many recent events is read alone, so others do not wait while they are counted.
        """
        if as_of_time is None and lead_id not in self._busy:
            facts = await self._together.add(lead_id)
        else:
            facts = next(iter(await self.batch([lead_id], as_of_time)), None)
        if facts is None:
            raise LeadNotFound(lead_id, as_of_time)
        self._remember(facts)
        return facts

    async def batch(
        self, lead_ids: Sequence[str], as_of_time: datetime | None, wanted: Wanted = EVERYTHING
    ) -> list[LeadFacts]:
        """Returns the facts of the leads that have a score; see `ScoreReader`."""
        request = pb.BatchGetLeadScoresRequest(
            lead_ids=lead_ids,
            as_of_time=_timestamp(as_of_time),
            read_mask=None if wanted == EVERYTHING else _read_mask(wanted),
            attribute_names=sorted(wanted.attributes or ()),
        )
        with _invalid_arguments():
            response = await self._scoring.BatchGetLeadScores(request)
        return await unhurried(_facts, response.lead_scores)

    def _remember(self, facts: LeadFacts) -> None:
        if facts.recent_event_count <= MAX_EVENTS_TOGETHER:
            self._busy.discard(facts.lead_id)
        elif len(self._busy) < MAX_BUSY:
            self._busy.add(facts.lead_id)

    async def _live(self, lead_ids: Sequence[str]) -> list[LeadFacts | None]:
        found = {facts.lead_id: facts for facts in await self.batch(list(dict.fromkeys(lead_ids)), None)}
        return [found.get(lead_id) for lead_id in lead_ids]

    async def preview(self, lead_id: str, events: Sequence[Hypothesis]) -> ScorePreview:
        """Returns what events would do to a lead; see `ScoreReader`."""
        request = pb.PreviewLeadScoreRequest(
            lead_id=lead_id,
            events=[pb.HypotheticalEvent(event_type=each.event_type, properties=each.properties) for each in events],
        )
        with _invalid_arguments():
            try:
                response = await self._scoring.PreviewLeadScore(request)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                raise LeadNotFound(lead_id) from error
        effects = ([_effect(each) for each in found] for found in (response.event_effects, response.rule_effects))
        return ScorePreview(_facts(response.lead_score), *effects)

    async def page(self, order: Order, stage: str, page_size: int, page_token: str) -> Page:
        """Returns a page of leads; see `ScoreReader`."""
        request = pb.ListLeadScoresRequest(
            page_size=page_size, page_token=page_token, order=_ORDERS[order], stage=stage
        )
        with _invalid_arguments():
            response = await self._scoring.ListLeadScores(request)
        return Page([_facts(score) for score in response.lead_scores], response.next_page_token)

    async def groups(self, grouping: Grouping) -> tuple[list[LeadGroup], datetime]:
        """Returns all leads in groups; see `ScoreReader`."""
        response = await self._scoring.CountLeads(pb.CountLeadsRequest(**grouping._asdict()))
        groups = [
            LeadGroup(each.minimum_score, each.recent_event_count, each.idle, each.lead_count)
            for each in response.groups
        ]
        return groups, wire.to_time(response.as_of_time)


class ScoringModels:
    """Implements `Models` with the scoring service. A version never changes, so the last `MAX_MODELS` are cached."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(channel)
        self._models: dict[int, Model] = {}

    async def in_force(self) -> Model:
        """Returns the current model; always asks the scoring service."""
        return await self._fetch(0)

    async def version(self, version: int) -> Model:
        """Returns a version of the model."""
        return self._models.get(version) or await self._fetch(version)

    async def _fetch(self, version: int) -> Model:
        response = await self._scoring.GetScoringModel(pb.GetScoringModelRequest(version=version))
        model = _model(response.scoring_model)
        self._models[model.version] = model
        if len(self._models) > MAX_MODELS:
            del self._models[next(iter(self._models))]
        return model


async def is_serving(channel: grpc.aio.Channel) -> bool:
    """Returns whether the scoring service reports SERVING."""
    check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
    response: health_pb2.HealthCheckResponse = await check(health_pb2.HealthCheckRequest(service=_SERVICE))
    return response.status == health_pb2.HealthCheckResponse.SERVING


@contextlib.contextmanager
def _invalid_arguments() -> Iterator[None]:
    """Raises the scoring service's INVALID_ARGUMENT errors as our own: our arguments have the same names.

    All other errors pass unchanged.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            raise
        raise _invalid_argument(error) from error


def _invalid_argument(error: grpc.aio.AioRpcError) -> Exception:
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status else ():
        detail.Unpack(info)
        detail.Unpack(bad_request)
    if info.reason == "PAGE_TOKEN_INVALID":
        return InvalidPageToken()
    if not bad_request.field_violations:
        return error
    violation = bad_request.field_violations[0]
    return InvalidArgument(violation.field, violation.description.removeprefix(f"{violation.field}: "))


def _read_mask(wanted: Wanted) -> FieldMask:
    paths = [*_ALWAYS_READ]
    if wanted.recent_events:
        paths += ["recent_event_count"]
    if wanted.contributions:
        paths += ["contributions"]
    if wanted.fit:
        paths += ["fit_points", "fit_grade", "rating"]
    if wanted.attributes is None or wanted.attributes:
        paths += ["attributes"]
    return FieldMask(paths=paths)


def _timestamp(time: datetime | None) -> Timestamp | None:
    return None if time is None else wire.to_timestamp(time)


def _facts(score: pb.LeadScore) -> LeadFacts:
    return LeadFacts(
        lead_id=score.lead_id,
        as_of_time=wire.to_time(score.as_of_time),
        score=score.score,
        stage=score.stage,
        event_count=score.event_count,
        recent_event_count=score.recent_event_count,
        last_event_time=wire.to_time(score.last_event_time) if score.HasField("last_event_time") else None,
        contributions=tuple(Contribution(each.rule_id, each.points) for each in score.contributions),
        attributes=score.attributes,
        model_version=score.model_version,
        fit=_fit(score),
        conversion_probability=_probability(score),
    )


def _effect(effect: pb.ScoreEffect) -> ScoreEffect:
    return ScoreEffect(
        rule_id=effect.rule_id,
        event_types=tuple(effect.event_types),
        delta=effect.delta,
        score=effect.score,
        stage=effect.stage,
        fit=_fit(effect),
        conversion_probability=_probability(effect),
    )


def _fit(score: pb.LeadScore | pb.ScoreEffect) -> Fit | None:
    return Fit(score.fit_points, score.fit_grade, score.rating) if score.fit_grade else None


def _probability(score: pb.LeadScore | pb.ScoreEffect) -> ConversionProbability | None:
    if not score.HasField("conversion_probability"):
        return None
    found = score.conversion_probability
    return ConversionProbability(
        probability=found.probability,
        low=found.low,
        high=found.high,
        lead_count=found.lead_count,
        landmark=wire.to_span(found.landmark),
        horizon=wire.to_span(found.horizon) if found.HasField("horizon") else None,
    )


def _model(model: pb.ScoringModel) -> Model:
    return Model(
        version=model.version,
        score_floor=model.score_floor,
        score_ceiling=model.score_ceiling,
        stages=tuple(Stage(each.stage, each.minimum_score) for each in model.stages),
        velocity_window=model.velocity.window.ToTimedelta(),
        velocity_weight=model.velocity.weight,
        idle=model.risk.idle.ToTimedelta(),
        next_actions=tuple(
            NextAction(row.next_action, tuple(row.stages), row.minimum_velocity, _RISKS[row.risk])
            for row in model.next_actions
        ),
        churn_stages=tuple(model.churn_stages),
    )
