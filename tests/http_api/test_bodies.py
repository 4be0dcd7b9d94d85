"""What is wrong with a JSON body is refused, never dropped."""

import json

import pytest
from google.protobuf.descriptor import FieldDescriptor
from leadscore.ingest.v1 import ingest_pb2

from cli.http.bodies import messages
from cli.http.routes import SERVICES, routes
from tests.http_api.conftest import Door

ADA = '"event_id": "e-1", "lead_id": "ada"'


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/events", '{"lead_idd": "ada"}', "lead_idd: there is no such field"),
        ("/v1/events:batch", '{"events": [{}, {"lead": "ada"}]}', "events[1].lead: there is no such field"),
        (
            "/v1/rules",
            '{"rule": {"trigger": {"stage_entred": {}}}}',
            "rule.trigger.stage_entred: there is no such field",
        ),
        ("/v1/events", f'{{{ADA}, "lead_id": "eve"}}', "lead_id: the field is given twice"),
        ("/v1/events", f'{{{ADA}, "leadId": "eve"}}', "leadId: the field is given twice"),
        ("/v1/events", f'{{{ADA}, "lead\\u005fid": "eve"}}', "lead_id: the field is given twice"),
        (
            "/v1/events",
            '{"properties": {"a": 1, "b": [{"c": 1, "c": 2}]}}',
            "properties.b[0].c: the field is given twice",
        ),
        ("/v1/events", '{"properties": {"a": 1, "\\u0061": 2}}', "properties.a: the field is given twice"),
        ("/v1/events", '{"lead_id": "ada"', "the body is not valid JSON at byte 18"),
        ("/v1/events", '{"lead_id": "ada"} {}', "the body is not valid JSON at byte 20"),
        ("/v1/events", '{"lead_id": "ada",}', "the body is not valid JSON at byte 19"),
        ("/v1/events", "{'lead_id': 'ada'}", "the body is not valid JSON at byte 2"),
        ("/v1/events", '{lead_id: "ada"}', "the body is not valid JSON at byte 2"),
        ("/v1/events", '{"properties": {"a": NaN}}', "the body is not valid JSON at byte 22"),
        ("/v1/events", '{"properties": {"a": 01}}', "the body is not valid JSON at byte 23"),
        ("/v1/events", '{"lead_id": "a\nb"}', "the body is not valid JSON at byte 15"),
        ("/v1/events", '[{"lead_id": "ada"}]', "the body must be a JSON object"),
        ("/v1/events", '"ada"', "the body must be a JSON object"),
        ("/v1/events", "<event/>", "the body must be a JSON object"),
        ("/v1/events", '{"properties": ' + '{"a": ' * 70 + "1" + "}" * 71, "the body has more than 64 levels"),
        ("/v1/events", '{"properties": ' + "[" * 100_000, "the body has more than 64 levels"),
    ],
)
def test_a_mistake_is_named(door: Door, path: str, body: str, message: str) -> None:
    answer = door.post(path, body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json() == {"code": 3, "message": message, "details": []}
    assert not door.services.calls


@pytest.mark.parametrize(
    "body",
    [
        '{"lead_id": {"a": 1}}',
        '{"lead_id": ["ada"]}',
        '{"event_time": "yesterday"}',
        '{"historical": "perhaps"}',
        '{"properties": "none"}',
        '{"lead_id": "\\ud800"}',
    ],
)
def test_a_value_of_another_type_is_refused(door: Door, body: str) -> None:
    assert door.post("/v1/events", body).status_code == 400
    assert not door.services.calls


def test_an_unknown_value_of_an_enum_is_refused(door: Door) -> None:
    assert door.post("/v1/models/7:publish", '{"mode": "PUBLICATION_MODE_SOON"}').status_code == 400
    assert not door.services.calls


def test_text_that_is_not_utf8_is_refused(door: Door) -> None:
    answer = door.client.post(
        "/v1/events", content=b'{"lead_id": "\xff"}', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert not door.services.calls


def test_a_body_that_contradicts_the_path_is_refused(door: Door) -> None:
    assert door.post("/v1/leads/ada:adjust", '{"lead_id": "eve", "delta": 5}').status_code == 400
    assert not door.services.calls
    assert door.post("/v1/leads/ada:adjust", '{"lead_id": "ada", "delta": 5}').status_code == 200


@pytest.mark.parametrize("kind", ["text/xml", "application/xml", "text/plain", "application/json; charset=latin-1", ""])
def test_other_types_of_content_are_refused(door: Door, kind: str) -> None:
    answer = door.client.post("/v1/events", content=f"{{{ADA}}}", headers={"content-type": kind})
    assert (answer.status_code, answer.json()["message"]) == (415, "the content type must be application/json")
    assert not door.services.calls


def test_json_may_say_that_it_is_utf8(door: Door) -> None:
    headers = {"content-type": 'Application/JSON; charset="UTF-8"'}
    assert door.client.post("/v1/events", content=f"{{{ADA}}}", headers=headers).status_code == 200


def test_free_json_arrives_as_it_is(door: Door) -> None:
    properties = {"a": [1, -2.5e3, None, True, {"b": "“ü”\n"}], "lead_idd": "x", "": {}, "\\": '"', "big": 2**53 - 1}
    assert door.post("/v1/events", json.dumps({"properties": properties})).status_code == 200
    _, request, _ = door.services.last()
    assert isinstance(request, ingest_pb2.IngestEventRequest)
    assert dict(request.event.properties.items())["big"] == 2**53 - 1
    assert request.event.properties["a"][4]["b"] == "“ü”\n"  # type: ignore[index]


def test_the_table_has_every_message_of_a_body() -> None:
    known = messages()
    for route in routes():
        assert not route.body or route.body.full_name in known
    assert known["leadscore.scoring.v1.Condition"]["in"] == ("one_of",)
    for name, fields in known.items():
        for row in fields.values():
            assert len(row) == 1 or row[1] in known, name


def test_maps_have_texts_as_values() -> None:
    files = {service.file for service in SERVICES.values()}
    maps = [
        field.message_type
        for file in files
        for message in file.message_types_by_name.values()
        for field in message.fields
        if field.message_type and field.message_type.GetOptions().map_entry
    ]
    assert maps
    for each in maps:
        assert each.fields_by_name["value"].type == FieldDescriptor.TYPE_STRING, each.full_name
