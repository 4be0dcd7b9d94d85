"""What callers of the ScoringService send, and how its answers are read."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeAlias

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Value
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from leadscore.scoring.v1 import scoring_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2_grpc

from scoring_service import model_codec
from shared import wire
from testkit.serving import refusal
from tests.scoring.models import BUILT_IN

Stub: TypeAlias = "scoring_pb2_grpc.ScoringServiceAsyncStub"
Refusal: TypeAlias = tuple[str, str, Sequence[str]]
MAX_PAGES = 20
"""Of a list in a test; more of them mean that its tokens go round in a circle."""
LONG = "x" * 257
UNKNOWN: Any = 9
"""A number that no enum has."""
FIT = pb.Fit(
    rules=[pb.FitRule(rule_id="dutch", points=30, conditions=[pb.Condition(property="country", starts_with="NL")])],
    grade_a_points=30,
    grade_b_points=20,
    grade_c_points=10,
    level_1_score=60,
    level_2_score=20,
)


class Unreached:
    """Stands for the use cases: a request that is refused for its arguments never reaches one."""

    def __getattr__(self, name: str) -> "Unreached":
        return self

    def __call__(self, *args: object, **named: object) -> NoReturn:
        """Fails."""
        raise AssertionError("expected the servicer to refuse the request")


def at(time: datetime) -> Timestamp:
    """Returns a time as it goes over the wire."""
    return wire.to_timestamp(time)


def span(**parts: float) -> Duration:
    """Returns a timedelta of these parts as it goes over the wire."""
    duration = Duration()
    duration.FromTimedelta(timedelta(**parts))
    return duration


def model(**changes: Any) -> pb.ScoringModel:
    """Returns the built-in model, as a caller would send it, with some fields replaced."""
    message = model_codec.write_model(BUILT_IN)
    message.version = 0
    for field in changes:
        message.ClearField(field)
    message.MergeFrom(pb.ScoringModel(**changes))
    return message


def worth(points: int, **changes: Any) -> pb.ScoringModel:
    """Returns the same with other points for a sign-up."""
    message = model(**changes)
    next(rule for rule in message.rules if rule.rule_id == "signup").points = points
    return message


async def backlog_of(stub: Stub) -> pb.GetScoringBacklogResponse:
    """Returns the backlog without its decay dates."""
    answer = await stub.GetScoringBacklog(pb.GetScoringBacklogRequest())
    answer.ClearField("decayed_through")
    return answer


def rule(rule_id: str, **fields: Any) -> pb.ScoringRule:
    given: dict[str, Any] = {"rule_id": rule_id, "event_types": ["x"], "points": 5}
    return pb.ScoringRule(**given | fields)


def publishing(**fields: Any) -> pb.PublishScoringModelRequest:
    given: dict[str, Any] = {"version": 1, "base_version": 1, "actor": "eve", "note": "spring"}
    return pb.PublishScoringModelRequest(**given | {"mode": pb.PUBLICATION_MODE_FORWARD} | fields)


def adjusting(**fields: Any) -> pb.AdjustLeadScoreRequest:
    given: dict[str, Any] = {"lead_id": "ada", "reason": "met at the fair", "actor": "eve", "request_id": "r1"}
    return pb.AdjustLeadScoreRequest(**given | fields)


def retracting(event_id: str = "e1", **fields: Any) -> pb.RetractEventRequest:
    given: dict[str, Any] = {"event_id": event_id, "reason": "a bot", "actor": "eve"}
    return pb.RetractEventRequest(**given | fields)


def listing(**fields: Any) -> pb.ListLeadScoresRequest:
    return pb.ListLeadScoresRequest(**fields)


def simulating(**fields: Any) -> pb.SimulateScoringModelRequest:
    given: dict[str, Any] = {"version": 1, "conversion_event_types": ["signed"]}
    return pb.SimulateScoringModelRequest(**given | fields)


async def created(stub: Stub, message: pb.ScoringModel) -> pb.ScoringModel:
    return (await stub.CreateScoringModel(pb.CreateScoringModelRequest(scoring_model=message))).scoring_model


async def published(
    stub: Stub, message: pb.ScoringModel, mode: pb.PublicationMode = pb.PUBLICATION_MODE_RESCORE
) -> pb.ModelPublication:
    """Stores a model and puts it in force, without rolling it out."""
    base = (await stub.GetScoringModel(pb.GetScoringModelRequest())).scoring_model.version
    request = publishing(version=(await created(stub, message)).version, base_version=base, mode=mode)
    return (await stub.PublishScoringModel(request)).publication


async def score_of(stub: Stub, lead_id: str = "ada", **fields: Any) -> pb.LeadScore:
    return (await stub.GetLeadScore(pb.GetLeadScoreRequest(lead_id=lead_id, **fields))).lead_score


async def history_of(stub: Stub, lead_id: str = "ada") -> list[pb.ScoreEntry]:
    return list((await stub.ListScoreHistory(pb.ListScoreHistoryRequest(lead_id=lead_id))).entries)


async def answers(stub: Stub, method: str, request: Message) -> list[Any]:
    """Returns all that a method answers, be it one message or a stream."""
    call = getattr(stub, method)(request)
    return [each async for each in call] if isinstance(call, grpc.aio.UnaryStreamCall) else [await call]


async def refused(stub: Stub, method: str, request: Message) -> Refusal:
    """Returns the code, the reason and the fields of a refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answers(stub, method, request)
    code, reason, fields = refusal(caught.value)
    return code.name, reason, fields


async def pages(call: Callable[[Any], Awaitable[Any]], request: Any) -> list[Any]:
    """Returns all pages of a list, by following its tokens."""
    found = [await call(request)]
    while found[-1].next_page_token:
        assert len(found) < MAX_PAGES, f"expected an end of the pages, got {found[-1]}"
        request.page_token = found[-1].next_page_token
        found.append(await call(request))
    return found


def descriptions(error: grpc.RpcError) -> list[str]:
    """Returns what an error says of each field."""
    bad_request = error_details_pb2.BadRequest()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None, f"expected a status with details, got {error}"
    for detail in status.details:
        detail.Unpack(bad_request)
    return [violation.description for violation in bad_request.field_violations]


def content(message: pb.ScoringModel) -> pb.ScoringModel:
    """Returns a model without what the service gives it."""
    copy = pb.ScoringModel()
    copy.CopyFrom(message)
    for field in ("version", "state", "create_time"):
        copy.ClearField(field)
    return copy


CONDITIONS = [
    pb.Condition(property="a", equals=Value(string_value="x"), ignore_case=True),
    pb.Condition(property="b", equals=Value(number_value=1.5)),
    pb.Condition(property="c", equals=Value(bool_value=False)),
    pb.Condition(property="d", one_of=ListValue(values=[Value(string_value="x"), Value(number_value=0)])),
    pb.Condition(property="e.f", contains="x"),
    pb.Condition(property="g", starts_with="x"),
    pb.Condition(property="h", exists=False),
    pb.Condition(property="i", greater_than=0),
    pb.Condition(property="j", at_least=-1.5),
    pb.Condition(property="k", less_than=0),
    pb.Condition(property="l", at_most=1e300),
]
"""Each operator once, each kind of operand."""
WHOLE = pb.ScoringModel(
    display_name="all of it, ☃",
    rules=[
        pb.ScoringRule(
            rule_id="r.1",
            event_types=["x", "y"],
            points=-5,
            conditions=CONDITIONS,
            limits=[
                pb.Limit(max_points=10, period=pb.PERIOD_DAY),
                pb.Limit(max_times=2, period=pb.PERIOD_30_DAYS),
                pb.Limit(max_times=9, period=pb.PERIOD_EVER),
            ],
            group_id="inner",
        )
    ],
    groups=[
        pb.RuleGroup(group_id="outer", cap=50),
        pb.RuleGroup(group_id="inner", cap=0, parent_group_id="outer"),
    ],
    score_floor=-10,
    score_ceiling=500,
    stages=[pb.Stage(stage="cold", minimum_score=-10), pb.Stage(stage="hot", minimum_score=31)],
    decay=pb.Decay(grace=span(days=7, hours=1), half_life=span(days=30), floor=3, toward_zero=True),
    velocity=pb.Velocity(window=span(hours=36), weight=3),
    risk=pb.RiskThreshold(idle=span(days=7)),
    next_actions=[
        pb.NextAction(next_action="call", stages=["hot", "cold"], minimum_velocity=9, risk=pb.RISK_LOW),
        pb.NextAction(next_action="write", risk=pb.RISK_HIGH),
        pb.NextAction(next_action="wait"),
    ],
    churn_stages=["hot"],
    fit=FIT,
)
"""A sound model with all that a model can have."""
MISTAKES = model(
    display_name=LONG,
    rules=[
        rule("a b"),
        rule("a", points=0, conditions=[pb.Condition(property="p")]),
        rule("a", limits=[pb.Limit(max_times=1)], group_id="nowhere"),
        rule("c", conditions=[pb.Condition(property="p", one_of=ListValue())]),
    ],
    decay=pb.Decay(grace=span(days=-1)),
    next_actions=[pb.NextAction(next_action="go", risk=UNKNOWN)],
    fit=pb.Fit(),
)
"""A model with mistakes in all its parts."""
MISTAKEN = [
    "decay",
    "decay.grace",
    "display_name",
    "fit.grade_a_points",
    "fit.grade_b_points",
    "fit.level_1_score",
    "fit.rules",
    "next_actions[0].risk",
    "rules[0].rule_id",
    "rules[1].conditions[0]",
    "rules[1].points",
    "rules[2].group_id",
    "rules[2].limits[0].period",
    "rules[2].rule_id",
    "rules[3].conditions[0].in",
]
"""Their paths."""
