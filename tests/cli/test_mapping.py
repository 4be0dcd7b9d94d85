"""A mapping file says where the fields of an event come from."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.events.importing import ImportOptions
from tests.cli.importing import events, flaws, written

WHOLE = """\
title: Visits
lead_id: who
event_id: id
event_type: what
event_time: when
"""
ROW: dict[str, Any] = {"who": "ada", "id": "v-1", "what": "visit", "when": "2026-01-31T12:00:00Z"}


def mapped(tmp_path: Path, mapping: str, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the events that some rows become."""
    return events(written(tmp_path / "rows.ndjson", *rows), options(tmp_path, mapping))


def options(tmp_path: Path, mapping: str) -> ImportOptions:
    (tmp_path / "mapping.yaml").write_text(mapping)
    return ImportOptions(mapping=tmp_path / "mapping.yaml")


def replaced(**lines: str) -> str:
    """Returns a mapping in which the values of some fields are others."""
    kept = [line for line in WHOLE.splitlines() if line.split(":")[0] not in lines]
    return "\n".join((*kept, *(f"{name}: {value}" for name, value in lines.items()))) + "\n"


def test_the_simplest_mapping(tmp_path: Path) -> None:
    (event,) = mapped(tmp_path, WHOLE, ROW | {"dropped": 1})
    assert event == {
        "lead_id": "ada",
        "event_id": "v-1",
        "event_type": "visit",
        "event_time": "2026-01-31T12:00:00Z",
        "properties": {},
    }


@pytest.mark.parametrize(
    ("value", "row", "lead_id"),
    [
        ("user.email", {"user": {"email": "a@x.example"}}, "a@x.example"),
        ("user.email", {"user.email": "dotted", "user": {"email": "nested"}}, "dotted"),
        ("user.email", {"user": '{"email": "from JSON"}'}, "from JSON"),
        ("[user, anonymous]", {"user": "", "anonymous": "anon"}, "anon"),
        ("[user, anonymous]", {"user": None, "anonymous": "anon"}, "anon"),
        ("[user, anonymous]", {"user": "ada", "anonymous": "anon"}, "ada"),
        ('"crm-{id}-{region|country}"', {"id": 7, "country": "PT"}, "crm-7-PT"),
        ("{constant: everyone}", {}, "everyone"),
        ("number", {"number": 9007199254740993}, "9007199254740993"),
        ("number", {"number": 12.50}, "12.5"),
        ("$distinct id", {"$distinct id": "odd"}, "odd"),
    ],
)
def test_values(tmp_path: Path, value: str, row: dict[str, Any], lead_id: str) -> None:
    (event,) = mapped(tmp_path, replaced(lead_id=value), ROW | row)
    assert event["lead_id"] == lead_id


@pytest.mark.parametrize(
    ("value", "row", "flaw"),
    [
        ("user.email", {"user": {}}, "lead_id: is empty (user, user.email)"),
        ("user", {"user": ""}, "lead_id: is empty (user)"),
        ("[user, anonymous]", {}, "lead_id: is empty (anonymous, user)"),
        ('"crm-{id}-{region}"', {"id": 7}, "lead_id: is empty (id, region)"),
        ("user", {"user": {"id": 7}}, "lead_id: is not text"),
        ("user", {"user": True}, "lead_id: is not text"),
        ("user", {"user": "\ud800"}, "is not UTF-8"),
    ],
)
def test_values_that_are_no_lead_id(tmp_path: Path, value: str, row: dict[str, Any], flaw: str) -> None:
    assert flaws(written(tmp_path / "rows.ndjson", ROW | row), options(tmp_path, replaced(lead_id=value))) == [flaw]


def test_a_hash_is_the_same_whenever_its_values_are(tmp_path: Path) -> None:
    mapping = replaced(event_id="{hash: [who, when, items]}")
    rows: list[dict[str, Any]] = [
        {"items": [{"a": 1, "b": 2}]},
        {"items": [{"b": 2, "a": 1}]},
        {"items": []},
        {},
        {"unused": 1},
    ]
    ids = [event["event_id"] for event in mapped(tmp_path, mapping, *(ROW | row for row in rows))]
    assert ids[0] == ids[1]
    assert ids[3] == ids[4]
    assert len(set(ids)) == 3
    assert all(len(event_id) == 32 for event_id in ids)


def test_types_are_translated(tmp_path: Path) -> None:
    mapping = WHOLE.replace(
        "event_type: what", 'event_type: {from: what, translate: {Visited: page_view, "1": signup}}'
    )
    rows = [ROW | {"what": what} for what in ("Visited", 1, "other")]
    assert [event["event_type"] for event in mapped(tmp_path, mapping, *rows)] == ["page_view", "signup", "other"]


def test_times_have_a_format_and_a_zone(tmp_path: Path) -> None:
    mapping = replaced(
        event_time='{from: when, format: "%d.%m.%Y %H:%M", zone: Europe/Berlin, repeated: second}',
        sent_time="{from: sent, format: milliseconds}",
    )
    rows = [ROW | {"when": "31.01.2026 13:00", "sent": 5}, ROW | {"when": "25.10.2026 02:30"}]
    first, second = mapped(tmp_path, mapping, *rows)
    assert first["event_time"] == "2026-01-31T12:00:00Z"
    assert first["sent_time"] == "1970-01-01T00:00:00.005Z"
    assert second["event_time"] == "2026-10-25T01:30:00Z"
    assert "sent_time" not in second


def test_the_source_and_the_historical_mark(tmp_path: Path) -> None:
    mapping = WHOLE + "source: from\nhistorical: old\n"
    rows = [ROW | row for row in ({"from": "crm", "old": True}, {"old": "false"}, {})]
    found = [(event.get("source"), event.get("historical")) for event in mapped(tmp_path, mapping, *rows)]
    assert found == [("crm", True), (None, None), (None, None)]
    path = written(tmp_path / "rows.ndjson", ROW | {"from": []}, ROW | {"old": "maybe"})
    assert flaws(path, options(tmp_path, mapping)) == ["source: is not text", "historical: must be true or false"]


@pytest.mark.parametrize(
    ("section", "properties"),
    [
        ("objects: a", {"x": 1, "y": 2}),
        ("objects: [a, b]", {"x": 1, "y": 3, "z": None}),
        ("objects: b", {"y": 3, "z": None}),
        ("objects: {pairs: params}", {"title": "Home", "session": 17, "price": 1.5, "plain": "5"}),
        ("fields: {size: company.size, none: missing}", {"size": 40}),
        ("fields: [company.size, plan]", {"company.size": 40, "plan": "pro"}),
        ("fields: {via: {constant: file}}", {"via": "file"}),
        ("rest: true", {"a": {"x": 1, "y": 2}, "b": '{"y": 3, "z": null}', "company": {"size": 40}, "plan": "pro"}),
        ("{rest: true, objects: [a, b], without: [company, z]}", {"x": 1, "y": 3, "plan": "pro"}),
        ("{objects: a, fields: {x: plan}}", {"x": "pro", "y": 2}),
    ],
)
def test_properties(tmp_path: Path, section: str, properties: dict[str, Any]) -> None:
    params = [
        {"key": "title", "value": {"string_value": "Home", "int_value": None}},
        {"key": "session", "value": {"int_value": "17"}},
        {"key": "price", "value": {"double_value": "1.5"}},
        {"key": "plain", "value": "5"},
    ]
    extra = {"a": {"x": 1, "y": 2}, "b": '{"y": 3, "z": null}', "company": {"size": 40}, "plan": "pro", "nothing": None}
    row = ROW | extra | ({"params": params} if "pairs" in section else {})
    section = section if section.startswith("{") else f"{{{section}}}"
    (event,) = mapped(tmp_path, f"{WHOLE}properties: {section}\n", row)
    assert event["properties"] == properties


@pytest.mark.parametrize(
    ("value", "flaw"),
    [
        ([1], "properties: is not an object"),
        ("{", "properties: is not JSON: Expecting property name enclosed in double quotes at character 2"),
        ('{"a": NaN}', "properties: has NaN, which is not a number in JSON"),
        (7, "properties: is not an object"),
        (json.loads('{"a":' * 30 + "1" + "}" * 30), "properties: is nested deeper than 20 levels"),
    ],
)
def test_values_that_are_no_properties(tmp_path: Path, value: object, flaw: str) -> None:
    path = written(tmp_path / "rows.ndjson", ROW | {"a": value})
    assert flaws(path, options(tmp_path, f"{WHOLE}properties: {{objects: a}}\n")) == [flaw]


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    numbers = {"exact": 2**53 - 1, "long": 2**53, "longer": -(2**70), "price": 0.1, "nested": [{"id": 2**60}]}
    (event,) = mapped(tmp_path, f"{WHOLE}properties: {{objects: a}}\n", ROW | {"a": numbers})
    expected = {"exact": 2**53 - 1, "long": str(2**53), "longer": str(-(2**70)), "price": 0.1}
    assert event["properties"] == expected | {"nested": [{"id": str(2**60)}]}


def test_a_record_becomes_every_event_whose_conditions_hold(tmp_path: Path) -> None:
    mapping = WHOLE.replace("event_id: id\nevent_type: what\n", "") + (
        "events:\n"
        "  - when: {kind: [contact, lead]}\n"
        "    event_id: 'crm-{id}'\n"
        "    event_type: {constant: identify}\n"
        "    properties: {fields: [name]}\n"
        "  - when: {created: true}\n"
        "    unless: {kind: test}\n"
        "    event_id: 'crm-{id}-created'\n"
        "    event_type: {constant: created}\n"
        "    event_time: created\n"
        "  - when: {kind: false}\n"
        "    event_id: id\n"
        "    event_type: {constant: unknown}\n"
    )
    created = {"created": "2025-01-01T00:00:00Z"}
    rows = [
        ROW | {"kind": "contact", "name": "Ada"} | created,
        ROW | {"kind": "lead"},
        ROW | {"kind": "other"} | created,
        ROW,
    ]
    found = [(each["event_id"], each["event_type"], each["event_time"]) for each in mapped(tmp_path, mapping, *rows)]
    noon, new_year = ROW["when"], created["created"]
    assert found == [
        ("crm-v-1", "identify", noon),
        ("crm-v-1-created", "created", new_year),
        ("crm-v-1", "identify", noon),
        ("crm-v-1-created", "created", new_year),
        ("v-1", "unknown", noon),
    ]
    path = written(tmp_path / "rows.ndjson", ROW | {"kind": "test"} | created)
    assert flaws(path, options(tmp_path, mapping)) == ["matches none of the events in the mapping"]


def test_a_table_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text('ada\tv-1\tvisit\t2026-01-31T12:00:00Z\t7\t"\n')
    mapping = WHOLE + (
        'columns: [who, id, what, when, size, note]\nproperties: {rest: true}\ntypes: {"*": text, size: number}\n'
    )
    (event,) = events(tmp_path / "rows.tsv", options(tmp_path, mapping))
    assert event["properties"] == {"size": 7, "note": '"'}
