"""The rows of `score_changes`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.contracts.score_changes import (
    CONTRACT,
    ChangeEvent,
    ScoreChange,
    Transition,
    changes_in,
    common_fields,
    lead_of,
)
from shared.inbox.bundles import MAX_BYTES, MAX_ITEMS, pending_bundles
from tests.contracts.documents import examples, through_bson

TIME = datetime(2026, 3, 20, 9, 15, 30, 250_000, UTC)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CHANGE = ScoreChange(
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
    last_event_time=TIME,
    inactive_days=0,
    date_bucket="2026-03-20",
    record_time=TIME + timedelta(milliseconds=870),
    transitions=(
        Transition(
            (15, 20),
            ("warm",),
            (
                ChangeEvent(
                    "view-7", "page_view", TIME - timedelta(milliseconds=2250), {"url": "/pricing"}, TRACEPARENT
                ),
            ),
        ),
        Transition((20, 65), ("warm", "qualified")),
    ),
)
BOB = CHANGE._replace(lead_id="bob@example.com", sequence=1)


def rows_of(*changes: ScoreChange) -> list[dict[str, Any]]:
    """Returns the rows, as MongoDB returns them, that hold the changes of one transaction."""
    common = common_fields(CHANGE.date_bucket, CHANGE.record_time)
    items = [each.to_document() for each in changes]
    return [through_bson(common | row) for row in pending_bundles(CONTRACT, 17, items, CHANGE.record_time)]


def test_changes_survive_the_round_trip() -> None:
    [row] = rows_of(CHANGE, BOB)
    assert list(changes_in(row)) == [CHANGE, BOB]
    assert (row["partition"], row["state"], row["count"]) == (17, "pending", 2)


def test_a_lead_without_events_has_no_time_of_the_last_one() -> None:
    change = CHANGE._replace(last_event_time=None, event_types=())
    [row] = rows_of(change)
    assert list(changes_in(row)) == [change]


def test_today_writes_the_newest_version() -> None:
    assert rows_of(CHANGE)[0]["schema_version"] == CONTRACT.schema_version


def test_every_version_has_an_example_that_today_reads() -> None:
    found = examples(CONTRACT.collection)
    assert set(found) == set(range(1, CONTRACT.schema_version + 1))
    assert list(changes_in(found[1])) == [CHANGE, BOB]


def test_a_reader_ignores_fields_that_it_does_not_know() -> None:
    [row] = rows_of(CHANGE)
    row["changes"][0]["added_later"] = row["added_later"] = 1
    row["changes"][0]["transitions"][0]["events"][0]["added_later"] = 1
    assert list(changes_in(row)) == [CHANGE]


def test_a_row_is_limited_in_number_and_in_bytes_and_the_order_is_kept() -> None:
    small = [CHANGE._replace(sequence=number) for number in range(2 * MAX_ITEMS + 1)]
    rows = rows_of(*small)
    assert [row["count"] for row in rows] == [MAX_ITEMS, MAX_ITEMS, 1]
    assert [change for row in rows for change in changes_in(row)] == small
    long_path = CHANGE._replace(scores=tuple(range(MAX_BYTES // 40)))  # about a third of what fits
    assert [row["count"] for row in rows_of(*[long_path] * 5)] == [3, 2]
    longer_path = CHANGE._replace(scores=tuple(range(MAX_BYTES // 10)))
    assert [row["count"] for row in rows_of(CHANGE, longer_path, CHANGE)] == [1, 1, 1]


@pytest.mark.parametrize("changes", [None, [], ["?"], [{"sequence": 1}]])
def test_the_lead_of_an_unreadable_row_is_empty(changes: object) -> None:
    [row] = rows_of(CHANGE)
    assert lead_of(row) == "ada@example.com"
    assert lead_of(row | {"changes": changes}) == ""
