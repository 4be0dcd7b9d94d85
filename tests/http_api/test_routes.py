"""Each path calls its RPC with what the path, the query and the body say, and answers with JSON."""

import json
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from leadscore.ingest.v1 import ingest_pb2
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2

from cli.http import envoy
from cli.http.routes import Route, routes
from tests.http_api.conftest import Door

EVENT = {
    "event_id": "e-1",
    "lead_id": "ada",
    "event_type": "demo_request",
    "event_time": "2026-05-01T12:00:00Z",
    "properties": {"plan": "pro", "seats": 3},
}


@pytest.mark.parametrize("route", list(routes()), ids=lambda route: f"{route.verb} {route.template}")
def test_every_route_calls_its_method(door: Door, route: Route) -> None:
    path = route.template
    for variable in route.variables:
        path = path.replace(f"{{{variable}}}", "7")
    answer = door.client.request(route.verb, path, json={} if route.body else None)
    assert answer.status_code == 200, answer.text
    method, request, _ = door.services.last()
    assert method == route.method.name
    for variable in route.variables:
        value: object = request
        for name in variable.split("."):
            value = getattr(value, name)
        assert str(value) == "7"


def test_only_json_can_change_anything() -> None:
    """A page of another origin may send a form, or nothing, without asking; not JSON."""
    assert {route.verb for route in routes() if not route.body} == {"GET", "DELETE"}


def test_an_event_arrives_as_it_was_sent(door: Door) -> None:
    door.services.answers["IngestEvent"] = lambda _, __: ingest_pb2.IngestEventResponse(
        outcome=ingest_pb2.OUTCOME_ACCEPTED
    )
    answer = door.client.post("/v1/events", json=EVENT)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"outcome": "OUTCOME_ACCEPTED", "warning": ""}
    _, request, _ = door.services.last()
    assert isinstance(request, ingest_pb2.IngestEventRequest)
    event = request.event
    assert (event.event_id, event.lead_id, event.properties["seats"]) == ("e-1", "ada", 3)
    assert event.event_time.ToJsonString() == EVENT["event_time"]


def test_names_in_camel_case_are_understood(door: Door) -> None:
    answer = door.post("/v1/events:batch", '{"events": [{"eventId": "e-1", "leadId": "ada"}]}')
    assert answer.status_code == 200
    _, request, _ = door.services.last()
    assert isinstance(request, ingest_pb2.BatchIngestEventsRequest)
    assert request.events[0].lead_id == "ada"


def test_numbers_of_zero_are_written(door: Door) -> None:
    door.services.answers["GetLeadScore"] = lambda asked, _: scoring_pb2.GetLeadScoreResponse(
        lead_score=scoring_pb2.LeadScore(lead_id=asked.lead_id)
    )
    score = door.client.get("/v1/leads/ada").json()["lead_score"]
    assert (score["lead_id"], score["score"]) == ("ada", "0")


@pytest.mark.parametrize(
    "lead_id",
    [
        "a b",
        "jörg",
        "a/b",
        "../b",
        "a/../b",
        "a%2Fb",
        "user:42",
        "x:adjust",
        "a?b#c",
        "ada@example.com",
        "a+b",
        "…",
    ],
)
def test_any_id_arrives_if_it_is_quoted(door: Door, lead_id: str) -> None:
    quoted = quote(lead_id, safe="").replace(".", "%2E")
    assert door.client.get(f"/v1/leads/{quoted}/history").status_code == 200
    _, request, _ = door.services.last()
    assert isinstance(request, scoring_pb2.ListScoreHistoryRequest)
    assert request.lead_id == lead_id


@pytest.mark.parametrize(
    "path",
    ["/v1/leads/../events", "/v1/leads/%2e%2e/history", "/v1/leads/./history", "/v1/leads/..%2f..", "/v1/leads/"],
)
def test_dots_lead_to_no_other_method(door: Door, path: str) -> None:
    door.client.get(path)
    reached = {(method, getattr(request, "lead_id", "")) for method, request, _ in door.services.calls}
    assert reached <= {("GetLeadScore", "../.."), ("GetLeadScore", "history"), ("ListEvents", "")}


def test_queries_fill_the_request(door: Door) -> None:
    query = {"page_size": "5", "stage": "hot", "order": "LEAD_ORDER_LEAD_ID", "active_since": "2026-05-01T00:00:00Z"}
    assert door.client.get("/v1/leads", params=query).status_code == 200
    _, request, _ = door.services.last()
    assert isinstance(request, scoring_pb2.ListLeadScoresRequest)
    assert (request.page_size, request.stage, request.order) == (5, "hot", scoring_pb2.LEAD_ORDER_LEAD_ID)
    assert request.active_since.ToJsonString() == query["active_since"]


@pytest.mark.parametrize("query", ["page_sise=5", "page_size=many", "order=LEAD_ORDER_LUCK", "stage.name=hot"])
def test_queries_that_mean_nothing_are_refused(door: Door, query: str) -> None:
    answer = door.client.get(f"/v1/leads?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code_pb2.INVALID_ARGUMENT)
    assert not door.services.calls


def test_a_stream_is_one_json_per_line(door: Door) -> None:
    door.services.answers["WatchLeads"] = lambda _, __: (
        intelligence_pb2.WatchLeadsResponse(resume_token=str(number)) for number in range(3)
    )
    answer = door.client.get("/v1/leads:watch?lead_ids=ada&lead_ids=eve")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["resume_token"] for line in answer.text.splitlines()] == ["0", "1", "2"]
    _, request, _ = door.services.last()
    assert isinstance(request, intelligence_pb2.WatchLeadsRequest)
    assert list(request.lead_ids) == ["ada", "eve"]


def test_the_key_and_the_address_of_the_caller_are_passed_on(door: Door) -> None:
    door.client.get("/v1/leads/ada", headers={"authorization": "Bearer lsk_x_y", "x-forwarded-for": "6.6.6.6"})
    _, _, metadata = door.services.last()
    assert metadata["authorization"] == "Bearer lsk_x_y"
    claimed, added = metadata["x-forwarded-for"].split(",")
    assert claimed == "6.6.6.6"
    assert added != claimed, "expected the address that Envoy sees at the end"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("INVALID_ARGUMENT", 400),
        ("FAILED_PRECONDITION", 400),
        ("UNAUTHENTICATED", 401),
        ("PERMISSION_DENIED", 403),
        ("NOT_FOUND", 404),
        ("ALREADY_EXISTS", 409),
        ("ABORTED", 409),
        ("RESOURCE_EXHAUSTED", 429),
        ("INTERNAL", 500),
        ("UNAVAILABLE", 503),
        ("DEADLINE_EXCEEDED", 504),
    ],
)
def test_an_error_is_json_with_its_details(door: Door, code: str, status: int) -> None:
    info = error_details_pb2.ErrorInfo(reason="EVENT_INVALID", domain="leadscore", metadata={"a": "b"})
    violation = error_details_pb2.BadRequest.FieldViolation(field="event_time", description="is missing")
    packed = [any_pb2.Any(), any_pb2.Any()]
    packed[0].Pack(info)
    packed[1].Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    failure = status_pb2.Status(code=code_pb2.Code.Value(code), message="it is “wrong”", details=packed)

    def fail(_: object, context: grpc.ServicerContext) -> None:
        context.abort_with_status(rpc_status.to_status(failure))

    door.services.answers["IngestEvent"] = fail
    answer = door.client.post("/v1/events", json=EVENT)
    found = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert (found["code"], found["message"]) == (failure.code, failure.message)
    assert [detail["@type"].rpartition(".")[2] for detail in found["details"]] == ["ErrorInfo", "BadRequest"]
    assert found["details"][0]["reason"] == "EVENT_INVALID"


def test_other_paths_and_methods_do_not_exist(door: Door) -> None:
    assert door.client.get("/v2/leads").status_code == 404
    assert door.client.get("/v1/batch").status_code == 404, "no gateway runs"
    for verb in ("PUT", "DELETE", "OPTIONS", "TRACE"):
        assert door.client.request(verb, "/v1/events").status_code == 405
    grpc_call = door.client.post(
        "/leadscore.scoring.v1.ScoringService/ResetDecay", headers={"content-type": "application/grpc"}
    )
    assert grpc_call.status_code in (200, 404)
    assert grpc_call.headers.get("grpc-status", "12") != "0"
    assert not door.services.calls


def test_the_document_is_served(door: Door) -> None:
    answer = door.client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == Path(envoy.__file__).with_name("openapi.json").read_text()
