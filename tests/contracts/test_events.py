"""The rows of `events`."""

from datetime import UTC, datetime

from shared.contracts.events import CONTRACT, FIELDS, OPTIONAL, PAYLOAD, EventRow, digest_of
from tests.contracts.documents import examples, through_bson

FIRST = EventRow(
    event_id="evt-7f3a",
    lead_id="ada@example.com",
    event_type="demo_request",
    event_time=datetime(2026, 3, 20, 9, 15, 30, 250_000, UTC),
    properties={
        "plan": "pro",
        "company": {"name": "Analytical Engines", "size": 250.0},
        "trial": True,
        "tags": ["a", None],
    },
    source="website",
)
ROW = FIRST._replace(historical=True, sent_time=datetime(2026, 3, 20, 9, 16, 2, 5_000, UTC))._replace(
    original_event_time=datetime(2026, 3, 20, 10, 15, 30, 250_000, UTC),
    shortened={"cut": ["referrer"], "left_out": 2},
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)


def test_a_row_survives_the_round_trip() -> None:
    assert EventRow.from_document(through_bson(ROW.to_document())) == ROW


def test_today_writes_the_newest_version_and_all_fields() -> None:
    document = ROW.to_document()
    assert document["schema_version"] == CONTRACT.schema_version
    assert {"_id", "schema_version", "digest", *PAYLOAD, *OPTIONAL} == set(document)
    assert set(FIELDS) <= set(document)


def test_optional_fields_that_are_not_set_take_no_room() -> None:
    assert {"_id", "schema_version", "digest", *PAYLOAD} == set(FIRST.to_document())


def test_the_digest_of_stored_properties_stays_the_same_from_version_to_version() -> None:
    stored = examples(CONTRACT.collection)[CONTRACT.schema_version]
    assert digest_of(stored["properties"]) == stored["digest"] == ROW.to_document()["digest"]


def test_every_version_has_an_example_that_today_reads() -> None:
    found = examples(CONTRACT.collection)
    assert set(found) == set(range(1, CONTRACT.schema_version + 1))
    assert [EventRow.from_document(found[version]) for version in sorted(found)] == [ROW]


def test_a_reader_ignores_fields_that_it_does_not_know() -> None:
    assert EventRow.from_document(ROW.to_document() | {"added_later": 1}) == ROW
