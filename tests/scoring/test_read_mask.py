"""A batch read with a mask leaves out unrequested fields, and the database work for them."""

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.store.models import ModelStore
from scoring_service.store.reads import LeadReader
from scoring_service.usecases.queries import LeadScore, Queries, Wanted
from shared import wire
from testkit.serving import refusal
from tests.scoring.conftest import ENGINE, Scoring, days_ago
from tests.scoring.requests import FIT, Stub, at, model, published, score_of
from tests.shared.commands import overheard


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
async def test_without_a_mask_all_fields_are_returned(stub: Stub, paths: tuple[str, ...]) -> None:
    assert await asked(stub, *paths) == await score_of(stub)


@pytest.mark.usefixtures("_ada")
async def test_only_the_fields_in_the_mask_are_returned(stub: Stub) -> None:
    assert await asked(stub, "score", "stage") == pb.LeadScore(lead_id="ada", score=20, stage="warm")
    assert await asked(stub, "recent_event_count") == pb.LeadScore(lead_id="ada", recent_event_count=2)
    assert await asked(stub, "score", names=("country",)) == pb.LeadScore(lead_id="ada", score=20)


@pytest.mark.usefixtures("_ada")
@pytest.mark.parametrize("then", [None, days_ago(0.1)])
async def test_only_the_named_attributes_are_returned_even_with_odd_names(stub: Stub, then: Any) -> None:
    when: dict[str, Any] = {"as_of_time": at(then)} if then else {}
    named = await asked(stub, "attributes", names=("$ref", "a.b", "$x", "unknown"), **when)
    assert wire.to_dict(named.attributes) == {"$ref": "leads", "a.b": 1.0, "$x": "y"}
    whole = await asked(stub, "attributes", **when)
    assert len(whole.attributes.fields) == 6
    some = await asked(stub, names=("city",), **when)
    assert (some.score, wire.to_dict(some.attributes)) == (20, {"city": "Delft"})


@pytest.mark.usefixtures("_ada")
async def test_fit_is_returned_without_the_attributes_it_depends_on(stub: Stub) -> None:
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
async def test_an_invalid_mask_is_rejected(stub: Stub, request_: pb.BatchGetLeadScoresRequest, field: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await stub.BatchGetLeadScores(request_)
    code, _, fields = refusal(caught.value)
    assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


async def read(scoring: Scoring, uri: str, wanted: Wanted) -> tuple[LeadScore, set[str]]:
    """Returns the score and the collections that were read."""
    async with overheard(uri) as (database, commands):
        lead_reader = LeadReader(database, ModelStore(database, ENGINE), scoring.events)
        [score] = await Queries(lead_reader, scoring.fact_reader, scoring.queries.calendar, scoring.clock).scores(
            ["ada"], None, wanted
        )
    return score, {sent[name] for name, sent in commands.sent if name in ("find", "aggregate")}


@pytest.mark.usefixtures("_ada")
async def test_parts_that_were_not_requested_are_not_computed(scoring: Scoring, database_uri: str) -> None:
    city = frozenset({"city"})
    score, collections = await read(scoring, database_uri, Wanted(recent_events=False, fitness=False, attributes=city))
    assert score.lead.state.attributes.values == {"city": "Delft"}, (
        "attributes that were not requested must not be read"
    )
    assert "score_history" not in collections, "events must be read only if their count was requested"
    score, collections = await read(scoring, database_uri, Wanted(fitness=False, attributes=frozenset()))
    assert (score.recent_events, score.lead.state.attributes.values) == (2, {})
    assert "score_history" in collections
