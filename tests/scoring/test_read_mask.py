"""What a batch read leaves out when its caller names what it wants: bytes of the answer, and work in the database."""

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from pymongo.monitoring import CommandListener

from shared import mongo, wire
from shared.pb.scoring.v1 import scoring_pb2 as pb
from tests.scoring.conftest import Scoring, days_ago
from tests.scoring.requests import FIT, Stub, at, model, published, score_of
from tests.serving import refusal


@pytest.fixture
async def _ada(scoring: Scoring) -> None:
    properties = {"country": "NL", "city": "Delft", "notes": "x" * 4_000, "$ref": "leads", "a.b": 1.0, "$x": "y"}
    await scoring.put(("e1", "ada", "identify", days_ago(0.5)), **properties)
    await scoring.put(("e2", "ada", "signup", days_ago(0.25)))
    await scoring.drain_all()


async def asked(stub: Stub, *paths: str, names: tuple[str, ...] = (), **fields: Any) -> pb.LeadScore:
    request = pb.BatchGetLeadScoresRequest(
        lead_ids=["ada"], read_mask=FieldMask(paths=paths), attribute_names=names, **fields
    )
    [score] = (await stub.BatchGetLeadScores(request)).lead_scores
    return score


@pytest.mark.usefixtures("_ada")
@pytest.mark.parametrize("paths", [(), ("*",)])
async def test_without_a_mask_all_is_told(stub: Stub, paths: tuple[str, ...]) -> None:
    assert await asked(stub, *paths) == await score_of(stub)


@pytest.mark.usefixtures("_ada")
async def test_only_what_the_mask_names_is_told(stub: Stub) -> None:
    assert await asked(stub, "score", "stage") == pb.LeadScore(lead_id="ada", score=20, stage="warm")
    assert await asked(stub, "recent_event_count") == pb.LeadScore(lead_id="ada", recent_event_count=2)
    assert await asked(stub, "score", names=("country",)) == pb.LeadScore(lead_id="ada", score=20)


@pytest.mark.usefixtures("_ada")
@pytest.mark.parametrize("then", [None, days_ago(0.1)])
async def test_only_the_attributes_named_are_told_whatever_their_names(stub: Stub, then: Any) -> None:
    when = {"as_of_time": at(then)} if then else {}
    named = await asked(stub, "attributes", names=("$ref", "a.b", "$x", "unknown"), **when)
    assert wire.to_dict(named.attributes) == {"$ref": "leads", "a.b": 1.0, "$x": "y"}
    whole = await asked(stub, "attributes", **when)
    assert len(whole.attributes.fields) == 6
    some = await asked(stub, names=("city",), **when)
    assert (some.score, wire.to_dict(some.attributes)) == (20, {"city": "Delft"})


@pytest.mark.usefixtures("_ada")
async def test_fit_is_told_without_the_attributes_that_decide_it(stub: Stub) -> None:
    await published(stub, model(fit=FIT))
    score = await asked(stub, "fit_points", "fit_grade", "rating")
    assert (score.fit_points, score.fit_grade, len(score.attributes.fields)) == (30, "A", 0)
    score = await asked(stub, "fit_grade", "attributes", names=("city",))
    assert (score.fit_grade, wire.to_dict(score.attributes)) == ("A", {"city": "Delft"})


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.BatchGetLeadScoresRequest(lead_ids=["a"], read_mask=FieldMask(paths=["colour"])), "read_mask"),
        (pb.BatchGetLeadScoresRequest(lead_ids=["a"], read_mask=FieldMask(paths=["attributes.a"])), "read_mask"),
        (pb.BatchGetLeadScoresRequest(lead_ids=["a"], attribute_names=[""]), "attribute_names[0]"),
        (pb.BatchGetLeadScoresRequest(lead_ids=["a"], attribute_names=["a"] * 257), "attribute_names"),
    ],
)
async def test_a_bad_mask_is_refused(stub: Stub, request_: pb.BatchGetLeadScoresRequest, field: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await stub.BatchGetLeadScores(request_)
    code, _, fields = refusal(caught.value)
    assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


class Commands(CommandListener):
    """The bytes that MongoDB answered, and the collections that it was asked about."""

    def __init__(self) -> None:
        self.collections: list[str] = []
        self.answered = 0

    def started(self, event: Any) -> None:
        """Notes what is asked."""
        self.collections.append(str(event.command.get(event.command_name)))

    def succeeded(self, event: Any) -> None:
        """Notes what is answered."""
        self.answered += len(str(event.reply))

    def failed(self, event: Any) -> None:
        """Notes nothing."""


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """What the service asks of MongoDB."""
    listener = Commands()
    connect = mongo.AsyncMongoClient
    monkeypatch.setattr(
        mongo, "AsyncMongoClient", lambda *args, **options: connect(*args, event_listeners=[listener], **options)
    )
    return listener


@pytest.mark.usefixtures("_ada")
async def test_work_that_nobody_wants_is_not_done(stub: Stub, commands: Commands) -> None:
    commands.collections.clear()
    commands.answered = 0
    await asked(stub, "score", "stage", "attributes", names=("city",))
    assert "score_history" not in commands.collections, "events are counted only for their count"
    assert commands.answered < 4_000, "attributes that nobody wants stay in the database"
    await asked(stub, "recent_event_count")
    assert "score_history" in commands.collections
