"""The rows of `score_changes`."""

from datetime import UTC, datetime, timedelta

from shared.contracts.score_changes import CONTRACT, ChangeEvent, Passage, ScoreChangeRow
from tests.contracts.documents import examples, through_bson

TIME = datetime(2026, 3, 20, 9, 15, 30, 250_000, UTC)
ROW = ScoreChangeRow(
    change_id="ada@example.com:12",
    lead_id="ada@example.com",
    sequence=12,
    score_before=15,
    score_after=65,
    stage_before="warm",
    stage_after="qualified",
    scores=(15, 20, 65),
    stages=("warm", "qualified"),
    event_types=("demo_request", "page_view"),
    kinds=("DECAY", "EVENT"),
    date_bucket="2026-03-20",
    last_event_time=TIME,
    inactive_days=0,
    record_time=TIME + timedelta(milliseconds=870),
    passages=(
        Passage(
            (15, 20),
            ("warm",),
            (ChangeEvent("view-7", "page_view", TIME - timedelta(milliseconds=2250), {"url": "/pricing"}),),
        ),
        Passage((20, 65), ("warm", "qualified")),
    ),
)


def test_a_row_survives_the_round_trip() -> None:
    assert ScoreChangeRow.from_document(through_bson(ROW.to_document())) == ROW


def test_a_lead_without_events_has_no_time_of_the_last_one() -> None:
    row = ROW._replace(last_event_time=None, event_types=())
    assert ScoreChangeRow.from_document(through_bson(row.to_document())) == row


def test_today_writes_the_newest_version() -> None:
    assert ROW.to_document()["schema_version"] == CONTRACT.schema_version


def test_every_version_has_an_example_that_today_reads() -> None:
    found = examples(CONTRACT.collection)
    assert set(found) == set(range(1, CONTRACT.schema_version + 1))
    assert ScoreChangeRow.from_document(found[1]) == ROW


def test_a_reader_ignores_fields_that_it_does_not_know() -> None:
    assert ScoreChangeRow.from_document(ROW.to_document() | {"added_later": 1}) == ROW
