"""The OpenAPI document is valid, and says what the protos say."""

import json
from pathlib import Path
from typing import Any

from openapi_spec_validator import validate

from cli.http import envoy
from cli.http.routes import routes

DOCUMENT: dict[str, Any] = json.loads(Path(envoy.__file__).with_name("openapi.json").read_text())


def test_it_is_valid() -> None:
    validate(DOCUMENT)


def test_it_has_every_route() -> None:
    described = {(verb.upper(), path) for path, verbs in DOCUMENT["paths"].items() for verb in verbs}
    assert described == {(route.verb, route.template) for route in routes()}


def test_a_body_needs_no_field_that_is_in_the_path() -> None:
    operation = DOCUMENT["paths"]["/v1/leads/{lead_id}:adjust"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["reason", "request_id"]
    assert "lead_id" not in schema["properties"]
    assert [(each["name"], each["in"], each["required"]) for each in operation["parameters"]] == [
        ("lead_id", "path", True)
    ]


def test_everything_has_a_description() -> None:
    for path, verbs in DOCUMENT["paths"].items():
        for operation in verbs.values():
            assert operation["summary"], path
            assert all(each["description"] for each in operation["parameters"]), path
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["ingest.Event"]["required"] == ["event_id", "lead_id", "event_type", "event_time"]
    assert schemas["scoring.LeadScore"]["properties"]["score"] == {
        "type": "string",
        "format": "int64",
        "description": "The score in points: the sum of the deltas in the history.",
    }
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            assert "description" in described or "$ref" in described or name == "Status", f"{name}.{field}"


def test_a_stream_is_said_to_be_one() -> None:
    content = DOCUMENT["paths"]["/v1/leads:watch"]["get"]["responses"]["200"]["content"]
    assert list(content) == ["application/x-ndjson"]
