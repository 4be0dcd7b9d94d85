"""Exports of other tools go in as they are: each is recognised by its columns, and becomes the events that it means."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from cli.events.importing import ImportOptions, open_import
from cli.exporting import tables
from cli.terminal.connection import CommandError
from shared import wire
from tests.cli.importing import BERLIN, EXPORTS, ROW, events, flaws, read, written

INES = "ines@kiosk.example"

EXPECTED: dict[str, tuple[str, list[tuple[str, str, str, str]]]] = {
    "segment.ndjson": (
        "segment",
        [
            ("msg-1", INES, "identify", "2026-11-20T08:01:00.500Z"),
            ("msg-2", INES, "page_view", "2026-11-20T08:02:00.500Z"),
            ("msg-3", INES, "demo_request", "2026-11-20T08:03:00.500Z"),
            ("msg-4", "anon-4", "Order Completed", "2026-11-20T08:04:00.500Z"),
        ],
    ),
    "cloudevents.ndjson": (
        "cloudevents",
        [
            ("/shop/1042", INES, "demo_request", "2026-11-20T08:01:00Z"),
            ("/shop/1043", INES, "page_view", "2026-11-20T07:02:00Z"),
        ],
    ),
    "posthog.jsonl": (
        "posthog",
        [
            ("018f-1", INES, "page_view", "2026-11-20T08:01:00.123Z"),
            ("018f-2", INES, "identify", "2026-11-20T08:02:00.123Z"),
            ("018f-3", INES, "signup", "2026-11-20T08:03:00.123Z"),
        ],
    ),
    "mixpanel.jsonl": (
        "mixpanel",
        [
            ("ins-1", INES, "page_view", "2026-11-20T08:00:01Z"),
            ("ins-2", INES, "signup", "2026-11-20T08:00:02Z"),
            ("ins-3", INES, "demo_request", "2026-11-20T08:00:03Z"),
        ],
    ),
    "amplitude.json.gz": (
        "amplitude",
        [
            ("a-1", INES, "page_view", "2026-11-20T08:01:00.123Z"),
            ("a-2", INES, "identify", "2026-11-20T08:02:00.123Z"),
            ("a-3", "dev-3", "signup", "2026-11-20T08:03:00.123Z"),
        ],
    ),
    "ga4.ndjson": (
        "ga4",
        [
            ("d68214f0c78336be667a579ea8bca56c", "1800.1795100000", "page_view", "2026-11-20T08:00:00.123458Z"),
            ("b641a35e69f0fe6c2248eeaddd5e15f5", INES, "signup", "2026-11-20T08:00:00.123459Z"),
            ("74f487f1fec5d349914d4d78b7b972f7", "1800.1795100000", "generate_lead", "2026-11-20T08:00:00.123460Z"),
        ],
    ),
    "snowplow.ndjson": (
        "snowplow",
        [
            ("c221-1", INES, "page_view", "2026-11-20T08:01:00.100Z"),
            ("c221-2", INES, "link_click", "2026-11-20T08:02:00.100Z"),
            ("c221-3", INES, "play", "2026-11-20T08:03:00.100Z"),
        ],
    ),
    "snowplow.tsv": (
        "snowplow-tsv",
        [
            ("t221-1", INES, "page_view", "2026-11-20T08:01:00.100Z"),
            ("t221-2", "d-1", "link_click", "2026-11-20T08:02:00.100Z"),
        ],
    ),
    "marketo.csv": (
        "marketo",
        [
            ("mkto-701", "5414080", "page_view", "2026-11-20T08:01:00Z"),
            ("mkto-702", "5414080", "form_submit", "2026-11-20T08:02:00Z"),
            ("mkto-703", "5414081", "100042", "2026-11-20T08:03:00Z"),
        ],
    ),
    "hubspot.csv": (
        "hubspot",
        [
            ("hubspot-39779198735-2026-11-21 20:05", INES, "identify", "2026-11-21T19:05:00Z"),
            ("hubspot-39779198735-created", INES, "contact_created", "2026-11-20T07:00:00Z"),
            ("hubspot-39779198736-2026-11-20 15:13", "39779198736", "identify", "2026-11-20T14:13:00Z"),
            ("hubspot-39779198736-created", "39779198736", "contact_created", "2026-11-20T14:13:00Z"),
        ],
    ),
    "salesforce.csv": (
        "salesforce",
        [
            ("salesforce-00Q5g00000A0bCdEAK-2026-11-21T05:39:00.000Z", INES, "identify", "2026-11-21T05:39:00Z"),
            ("salesforce-00Q5g00000A0bCdEAK-created", INES, "lead_created", "2026-11-20T08:00:00Z"),
            (
                "salesforce-00Q5g00000A1bCdEAK-2026-11-20T15:13:00.000Z",
                "00Q5g00000A1bCdEAK",
                "identify",
                "2026-11-20T15:13:00Z",
            ),
            ("salesforce-00Q5g00000A1bCdEAK-created", "00Q5g00000A1bCdEAK", "lead_created", "2026-11-20T15:13:00Z"),
        ],
    ),
    "mautic.csv": (
        "mautic",
        [
            ("mautic-7-2026-11-21 20:05:00", INES, "identify", "2026-11-21T20:05:00Z"),
            ("mautic-7-created", INES, "contact_created", "2026-11-20T08:00:00Z"),
            ("mautic-8-2026-11-20 15:13:00", "8", "identify", "2026-11-20T15:13:00Z"),
        ],
    ),
    "exported.ndjson": ("leadscore-export", [("own-1", INES, "signup", "2026-11-20T08:01:00Z")]),
    "events.csv": (
        "leadscore",
        [
            ("own-1", INES, "signup", "2026-11-20T08:01:00Z"),
            ("own-2", INES, "page_view", "2026-11-20T08:02:00Z"),
        ],
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_export_is_recognised_and_becomes_its_events(name: str) -> None:
    options = ImportOptions(times=BERLIN) if name == "hubspot.csv" else ImportOptions()
    with open_import(EXPORTS / name, options) as opened:
        assert opened.format == EXPECTED[name][0]
        assert opened.notice.endswith(f" (--format {opened.format})")
    found = events(EXPORTS / name, options)
    ids = [(each["event_id"], each["lead_id"], each["event_type"], each["event_time"]) for each in found]
    assert ids == EXPECTED[name][1]
    own_sources = {"exported.ndjson": "website", "cloudevents.ndjson": "/shop"}
    source = own_sources.get(name, opened.format.split("-")[0])
    assert {each.get("source", "leadscore") for each in found} == {source}


@pytest.mark.parametrize(
    ("name", "index", "properties"),
    [
        ("segment.ndjson", 0, {"email": INES, "seats": 12}),
        ("segment.ndjson", 2, {"plan": "pro", "revenue": 49.9}),
        ("segment.ndjson", 3, {"order": "9007199254740993"}),
        ("cloudevents.ndjson", 0, {"plan": "pro", "seats": 12}),
        ("posthog.jsonl", 1, {"email": INES, "first_seen": "web"}),
        ("amplitude.json.gz", 0, {"plan": "pro", "city": "Kiel", "user_properties": {"utm": "spring"}}),
        ("amplitude.json.gz", 1, {"utm": "spring"}),
        ("ga4.ndjson", 0, {"ga_session_id": 1795170000, "value": 49.9, "huge": "9007199254740993"}),
        ("snowplow.ndjson", 0, {"page_urlport": 443, "dvce_ismobile": False}),
        ("snowplow.tsv", 0, {"page_urlport": 443, "dvce_ismobile": False, "mkt_campaign": "2026"}),
        ("snowplow.tsv", 1, {"targetUrl": "https://kiosk.example"}),
        ("marketo.csv", 0, {"campaignId": 8497, "Webpage URL": "/pricing", "activityTypeId": 1}),
        ("hubspot.csv", 0, {"Email": INES, "Number of Pageviews": 12, "Phone Number": "0049431123"}),
        ("salesforce.csv", 0, {"Email": INES, "ISCONVERTED": False, "COMPANY": "Kiosk"}),
        ("mautic.csv", 0, {"email": INES, "points": 40, "zipcode": "01099", "mobile": "+351 1234"}),
        ("events.csv", 0, {"seats": 12, "zip": "01099"}),
        ("exported.ndjson", 0, {"seats": 12, "state": None}),
    ],
)
def test_properties_have_their_types(name: str, index: int, properties: dict[str, Any]) -> None:
    options = ImportOptions(times=BERLIN) if name == "hubspot.csv" else ImportOptions()
    found = events(EXPORTS / name, options)[index]["properties"]
    assert {key: found.get(key) for key in properties} == properties


def test_the_same_data_is_the_same_event_as_csv_and_as_ndjson() -> None:
    assert events(EXPORTS / "events.csv")[0] == events(EXPORTS / "events.ndjson")[0]


def test_an_exported_event_keeps_its_corrected_time_and_its_mark() -> None:
    (event,) = events(EXPORTS / "exported.ndjson")
    assert event["event_time"] == "2026-11-20T08:01:00Z"
    assert event["historical"] is True
    assert "sent_time" not in event, "the time would be corrected a second time"


def test_what_export_writes_is_recognised(tmp_path: Path) -> None:
    columns = tuple(column.name for column in tables.EVENTS.columns)
    (tmp_path / "events.csv").write_text(",".join(columns) + "\n")
    with open_import(tmp_path / "events.csv", ImportOptions()) as opened:
        assert opened.format == "leadscore-export"


def test_reading_an_export_again_gives_the_same_ids() -> None:
    ids = [event["event_id"] for event in events(EXPORTS / "ga4.ndjson")]
    assert [event["event_id"] for event in events(EXPORTS / "ga4.ndjson")] == ids


def test_a_contact_export_without_a_zone_is_refused_with_the_option() -> None:
    found = flaws(EXPORTS / "hubspot.csv")
    assert len(found) == 2
    assert all("has no time zone: name one, such as --time-zone Europe/Berlin" in flaw for flaw in found)


@pytest.mark.parametrize("field", ["occurred_at", "event_time", "timestamp"])
def test_the_time_of_an_event_has_three_names(tmp_path: Path, field: str) -> None:
    row = {key: value for key, value in ROW.items() if key != "occurred_at"} | {field: "2026-01-31T12:00:00.250Z"}
    (line,) = read(written(tmp_path / "events.jsonl", row))
    assert line.event is not None
    assert (line.event.lead_id, line.event.event_id, line.event.source) == ("ada", "ada-1", "website")
    assert wire.to_time(line.event.event_time).isoformat() == "2026-01-31T12:00:00.250000+00:00"
    assert wire.to_dict(line.event.properties) == ROW["properties"]


def test_unknown_fields_become_properties(tmp_path: Path) -> None:
    row = ROW | {"utm": "x", "seats": 1, "empty": None, "properties": {"seats": 2, "null": None}}
    (event,) = events(written(tmp_path / "events.jsonl", row))
    assert event["properties"] == {"seats": 2, "null": None, "utm": "x"}


def test_sent_time_and_historical_are_read(tmp_path: Path) -> None:
    (event,) = events(written(tmp_path / "e.jsonl", ROW | {"sent_time": "2026-01-31T12:00:01Z", "historical": True}))
    assert (event["sent_time"], event["historical"]) == ("2026-01-31T12:00:01Z", True)


def test_columns_are_found_whatever_their_case_blanks_and_underscores(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("Lead ID,EVENT_ID,eventType,Event Time,Seats\na,1,x,2026-01-31T12:00Z,3\n")
    (event,) = events(tmp_path / "events.csv")
    assert (event["lead_id"], event["event_id"], event["event_type"]) == ("a", "1", "x")
    assert event["properties"] == {"Seats": 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("lead_id,event_type,timestamp\na,b,c\n", "has no column for event_id: name the columns in its first line"),
        ("lead_id,event_id,event_type\na,b,c\n", "has no column for event_time"),
        ("name,e-mail\nAda,a@x.example\n", "with the fields name, e-mail, which match no known format: .* --mapping"),
    ],
)
def test_a_table_without_the_columns_is_refused_as_a_whole(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "events.csv").write_text(content)
    with pytest.raises(CommandError, match=message):
        read(tmp_path / "events.csv")


def test_json_of_no_known_layout_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.ndjson", {f"field {number}": number for number in range(20)})
    with pytest.raises(
        CommandError, match=r"is NDJSON with the fields field 0, .*, field 11 and 8 more, which match no known format"
    ):
        read(path)


def test_an_incomplete_event_is_explained_by_its_line(tmp_path: Path) -> None:
    rows = [ROW, {"lead_id": "ada"}, ROW | {"event_id": None}, ROW | {"occurred_at": "soon"}]
    found = [line.flaw for line in read(written(tmp_path / "rows.ndjson", *rows))]
    assert found[0] is None
    assert found[1:3] == ["event_type: is empty (event_type)", "event_id: is empty (event_id)"]
    assert (found[3] or "").startswith("event_time: 'soon' is not a time")


def test_parquet_of_a_warehouse(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "UUID": ["u-1"],
        "EVENT": ["$pageview"],
        "DISTINCT_ID": ["ada"],
        "TIMESTAMP": [datetime(2026, 1, 31, 12)],  # noqa: DTZ001 (PostHog means UTC)
        "PROPERTIES": ['{"seats": 3, "order": 9007199254740993}'],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "events.parquet")
    (event,) = events(tmp_path / "events.parquet")
    assert (event["event_id"], event["lead_id"], event["event_type"]) == ("u-1", "ada", "page_view")
    assert event["event_time"] == "2026-01-31T12:00:00Z"
    assert event["properties"] == {"seats": 3, "order": "9007199254740993"}


def test_a_format_that_is_named_is_not_guessed(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.ndjson", {"messageId": "1", "type": "page", "timestamp": "2026-01-31T12:00:00Z"})
    assert flaws(path, ImportOptions(format="segment")) == ["lead_id: is empty (anonymousId, userId)"]
    assert flaws(path, ImportOptions(format="leadscore")) == ["event_type: is empty (event_type)"]


def test_decimals_become_the_nearest_numbers(tmp_path: Path) -> None:
    row = written(tmp_path / "rows.ndjson", ROW | {"properties": {}}).read_text().strip()
    (tmp_path / "rows.ndjson").write_text(f'{row[:-1]}, "price": 1.10, "far": 1e20}}\n')
    (event,) = events(tmp_path / "rows.ndjson")
    assert event["properties"] == {"price": 1.1, "far": "1E+20"}
