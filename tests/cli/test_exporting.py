"""`leadscore export`: the formats, the files, and complete lists."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.automation.v1 import automation_pb2
from leadscore.scoring.v1 import scoring_pb2 as pb
from pyarrow import parquet

from cli.exporting.formats import write_csv, write_ndjson, write_parquet
from cli.exporting.tables import EVENTS, EXECUTIONS, HISTORY, LEADS, Table
from tests.cli.servicer import json_of, serving

NOON = Timestamp(seconds=1_769_860_800)
PROBABILITY = [f"conversion_probability{part}" for part in ("", "_low", "_high", "_leads")]
NOON_TEXT = "2026-01-31T12:00:00Z"


def lead(lead_id: str = "ada", **fields: Any) -> pb.LeadScore:
    """Returns a lead with a value in every field that matters here."""
    plain = {"score": 25, "stage": "warm", "event_count": 2, "last_event_time": NOON, **fields}
    found = pb.LeadScore(lead_id=lead_id, contributions=[pb.RuleContribution(rule_id="signup", points=20)], **plain)
    found.attributes.update({"company": "=2+5", "employees": 40})
    return found


def written(writer: Any, rows: Sequence[Any], table: Table) -> bytes:
    """Returns the file that a format makes of some rows."""
    stream = io.BytesIO()
    writer(rows, table.columns, stream)
    return stream.getvalue()


def test_ndjson_has_every_column_with_its_type() -> None:
    [line] = written(write_ndjson, [lead()], LEADS).splitlines()
    found = json.loads(line)
    assert list(found) == [column.name for column in LEADS.columns]
    assert (found["score"], found["last_event_time"], found["first_event_time"]) == (25, NOON_TEXT, None)
    assert (found["contributions"], found["attributes"]["employees"]) == ({"signup": 20}, 40)


def test_integers_keep_their_digits() -> None:
    row = pb.LeadScore(attributes={"id": "9223372036854775807", "largest": 2**53 - 1, "rate": 0.5, "list": [3]})
    for writer in (write_ndjson, write_csv):
        text = written(writer, [row], LEADS).decode().replace('""', '"')
        for part in ('"id": "9223372036854775807"', '"largest": 9007199254740991', '"rate": 0.5', '"list": [3]'):
            assert part in text


def test_csv_keeps_spreadsheets_from_computing_texts() -> None:
    text = written(write_csv, [lead("=HYPERLINK(1)"), lead("+31", stage="@x"), lead("a-b")], LEADS).decode()
    first, second, third = csv.DictReader(io.StringIO(text, newline=""))
    assert (first["lead_id"], second["lead_id"], second["stage"], third["lead_id"]) == (
        "'=HYPERLINK(1)",
        "'+31",
        "'@x",
        "a-b",
    )
    assert (first["score"], first["first_event_time"]) == ("25", "")
    assert json.loads(first["attributes"]) == {"company": "=2+5", "employees": 40}


def test_csv_leaves_negative_numbers_alone() -> None:
    text = written(write_csv, [pb.ScoreEntry(lead_id="ada", delta=-5)], HISTORY).decode()
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert row["delta"] == "-5", "expected a number, not a text with an apostrophe"


def test_parquet_has_typed_columns() -> None:
    table = parquet.read_table(io.BytesIO(written(write_parquet, [lead(), lead("bob")], LEADS)))
    [ada, _] = table.to_pylist()
    assert (ada["score"], ada["last_event_time"]) == (25, datetime(2026, 1, 31, 12, tzinfo=UTC))
    assert json.loads(ada["attributes"])["company"] == "=2+5"


@pytest.mark.parametrize("writer", [write_ndjson, write_csv, write_parquet])
def test_leads_have_their_conversion_probability(writer: Any) -> None:
    probability = pb.ConversionProbability(probability=0.12, low=0.09, high=0.158, lead_count=812)
    data = written(writer, [lead(conversion_probability=probability), lead("bob")], LEADS)
    match writer:
        case _ if writer is write_ndjson:
            rows: list[dict[str, Any]] = [json.loads(line) for line in data.splitlines()]
        case _ if writer is write_csv:
            cells = csv.DictReader(io.StringIO(data.decode(), newline=""))
            rows = [{name: json.loads(row[name] or "null") for name in PROBABILITY} for row in cells]
        case _:
            rows = parquet.read_table(io.BytesIO(data)).to_pylist()
    assert [[row[name] for name in PROBABILITY] for row in rows] == [[0.12, 0.09, 0.158, 812], [None] * 4]


def test_parquet_of_nothing_has_the_columns() -> None:
    table = parquet.read_table(io.BytesIO(written(write_parquet, [], HISTORY)))
    assert (table.num_rows, table.column_names) == (0, [column.name for column in HISTORY.columns])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (LEADS, pb.LeadScore()),
        (EVENTS, pb.AcceptedEvent()),
        (HISTORY, pb.ScoreEntry(first_tick_date="2026-01-31", kind=pb.ENTRY_KIND_DECAY)),
        (EXECUTIONS, automation_pb2.AutomationExecution(date_bucket="2026-01-31", deliveries=[{}])),
    ],
)
@pytest.mark.parametrize("writer", [write_ndjson, write_csv, write_parquet])
def test_each_table_can_be_written_in_each_format(writer: Any, table: Table, message: Any) -> None:
    assert written(writer, [message], table)


def test_enums_are_written_in_words() -> None:
    [line] = written(write_ndjson, [pb.ScoreEntry(kind=pb.ENTRY_KIND_DECAY)], HISTORY).splitlines()
    assert json.loads(line)["kind"] == "decay"


def test_all_executions_are_exported(tmp_path: Path) -> None:
    with serving(automation=True) as (_, run):
        whole = run("export", "executions")
        file = run("export", "executions", "-o", str(tmp_path / "executions.csv"))
    found = json_of(whole)
    assert len({each["execution_id"] for each in found}) == len(found) > 500, "expected more than one page"
    assert file.stderr == f"exported {len(found):,} executions\n"
    rows = list(csv.DictReader((tmp_path / "executions.csv").read_text().splitlines()))
    assert [row["execution_id"] for row in rows] == [each["execution_id"] for each in found]


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    with serving(automation=False) as (_, run):
        result = run("export", "executions", "-o", str(tmp_path / "executions.csv"))
    assert result.exit_code == 1, "expected the automation service to be down"
    assert not list(tmp_path.iterdir()), "expected no file, and no part of one"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--format", "xls"), "--format is 'xls', must be one of ndjson, csv, parquet"),
        (("--format", "parquet"), "Parquet cannot be written to standard output: name a file with --output"),
        (("-o", "/nowhere/leads.csv"), "/nowhere/leads.csv cannot be written: No such file or directory"),
        (
            ("--active-since", "monday"),
            "--active-since is 'monday', must be a date 2026-01-31 or a time 2026-01-31T12:00Z",
        ),
    ],
)
def test_what_is_wrong_with_a_command_is_said_in_one_line(arguments: Sequence[str], reason: str) -> None:
    with serving() as (_, run):
        result = run("export", "leads", *arguments)
    assert reason in str(result.exception) + result.stderr
