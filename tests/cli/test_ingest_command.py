"""`leadscore ingest` asks about the past, tells conflicts from rejected lines, and shows what it would do."""

import io
import json
import socket
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.events.history import LOOK_AHEAD
from cli.terminal.connection import CommandError
from shared import wire
from tests.cli.importing import EXPORTS, ROW, written
from tests.cli.servicer import serving as serving_all
from tests.cli.test_ingest import serving

FRESH = ROW | {"occurred_at": wire.now().isoformat()}
OLD = ROW | {"occurred_at": (wire.now() - timedelta(days=2)).isoformat()}


class Terminal(io.StringIO):
    """Standard input of a person."""

    def isatty(self) -> bool:
        """Returns that somebody can be asked."""
        return True


def run(port: int, *arguments: object, answer: str | None = None) -> Result:
    """Returns what `leadscore ingest` prints. With an answer, a person sits at the terminal and gives it."""
    runner = CliRunner()
    command = ["ingest", *map(str, arguments), "--base-port", str(port)]
    if answer is None:
        return runner.invoke(app, command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.events.commands.sys", type("Sys", (), {"stdin": Terminal(answer)}))
        return runner.invoke(app, command, input=answer)


def ids(*names: str, row: dict[str, Any] = FRESH) -> list[dict[str, Any]]:
    return [row | {"event_id": name} for name in names]


def nobody() -> int:
    """Returns a port at which nobody answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return min(port, 65_000)


def test_conflicts_are_reported_apart_from_rejected_lines(tmp_path: Path) -> None:
    file = written(tmp_path / "events.ndjson", *ids("taken-1", "good", "bad\x1b[2J", "good", "long-1"))
    with serving() as (_, connection):
        result = run(connection.base_port, file)
        as_json = json.loads(run(connection.base_port, file, "--json").stdout)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("2 accepted, 1 duplicate, 1 in conflict, 1 rejected in ")
    assert lines[1:] == [
        "  1 event had too many or too long properties, and were shortened",
        "  line 1: conflict: differs in properties",
        "  line 3: bad�[2J is bad",
    ]
    counts = ("accepted", "duplicate", "conflict", "rejected", "shortened")
    assert {name: as_json[name] for name in counts} == dict(zip(counts, (0, 3, 1, 1, 1), strict=True))
    assert as_json["conflicts"] == [{"line": 1, "reason": "differs in properties"}]
    assert as_json["rejections"] == [{"line": 3, "reason": "bad\x1b[2J is bad"}]


def test_ids_that_look_like_others_are_warned_of(tmp_path: Path) -> None:
    many = [FRESH | {"event_id": str(number), "lead_id": "ada\u200b"} for number in range(12)]
    file = written(tmp_path / "events.ndjson", *ids("plain"), *many)
    with serving() as (_, connection):
        result = run(connection.base_port, file)
        as_json = json.loads(run(connection.base_port, file, "--json").stdout)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1:3] == ["  12 events were accepted with a warning", "  line 2: warning: lead_id: ends with U+200B"]
    assert lines[-1].startswith("  line 13: "), "expected the first warnings and the last one"
    assert (as_json["warned"], len(as_json["warnings"])) == (12, 10)


@pytest.mark.parametrize(
    ("option", "exit_code"), [([], 1), (["--on-conflict", "error"], 1), (["--on-conflict", "keep"], 0)]
)
def test_a_conflict_is_an_error_unless_it_is_to_be_kept(tmp_path: Path, option: list[str], exit_code: int) -> None:
    file = written(tmp_path / "events.ndjson", *ids("taken-1", "good"))
    with serving() as (_, connection):
        assert run(connection.base_port, file, *option).exit_code == exit_code


def test_fresh_events_need_no_choice(tmp_path: Path) -> None:
    with serving() as (service, connection):
        assert run(connection.base_port, written(tmp_path / "events.ndjson", FRESH)).exit_code == 0
    assert (service.ids, service.historical) == ({"ada-1"}, [])


def test_old_events_need_a_choice_in_a_script(tmp_path: Path) -> None:
    file = written(tmp_path / "events.ndjson", *ids("new"), OLD)
    with serving() as (service, connection):
        result = run(connection.base_port, file)
    assert isinstance(result.exception, CommandError)
    assert "line 2 has an event of 20" in str(result.exception)
    assert "add --history, so that no automation fires" in str(result.exception)
    assert service.ids == set()


@pytest.mark.parametrize(("option", "historical"), [("--history", ["new", "old"]), ("--live", [])])
def test_the_choice_holds_for_all_events(tmp_path: Path, option: str, historical: list[str]) -> None:
    file = written(tmp_path / "events.ndjson", *ids("new"), *ids("old", row=OLD))
    with serving() as (service, connection):
        assert run(connection.base_port, file, option).exit_code == 0
    assert service.ids == {"new", "old"}
    assert sorted(service.historical) == historical


@pytest.mark.parametrize(("answer", "historical"), [("y\n", ["old"]), ("\n", ["old"]), ("n\n", [])])
def test_a_person_is_asked(tmp_path: Path, answer: str, historical: list[str]) -> None:
    file = written(tmp_path / "events.ndjson", *ids("old", row=OLD))
    with serving() as (service, connection):
        result = run(connection.base_port, file, answer=answer)
    assert result.exit_code == 0
    assert "Send all events as history, so that no automation fires for them?" in result.stderr
    assert (service.ids, service.historical) == ({"old"}, historical)


def test_events_that_the_file_marks_as_historical_need_no_choice(tmp_path: Path) -> None:
    with serving() as (service, connection):
        assert run(connection.base_port, written(tmp_path / "e.ndjson", OLD | {"historical": True})).exit_code == 0
    assert service.historical == ["ada-1"]


@pytest.mark.parametrize(("sent", "exit_code"), [("1970-01-01T01:00:00Z", 0), ("1970-01-02T06:00:00Z", 1)])
def test_the_age_of_an_event_with_a_sent_time_is_counted_from_it(tmp_path: Path, sent: str, exit_code: int) -> None:
    never_set = {"occurred_at": "1970-01-01T00:00:07Z", "sent_time": sent}
    with serving() as (_, connection):
        assert run(connection.base_port, written(tmp_path / "e.ndjson", ROW | never_set)).exit_code == exit_code


def test_an_old_event_far_into_the_file_stops_the_command(tmp_path: Path) -> None:
    rows = ids(*(f"new-{number}" for number in range(LOOK_AHEAD)))
    with serving() as (service, connection):
        result = run(connection.base_port, written(tmp_path / "events.ndjson", *rows, OLD), answer="y\n")
    assert isinstance(result.exception, CommandError)
    assert f"line {LOOK_AHEAD + 1} has an event of" in str(result.exception)
    assert "old" not in service.ids


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = io.BufferedReader(
        io.BytesIO(b"lead_id,event_id,event_type,time,timestamp,n\na,1,x,,1795161600,1\na,2,x,,1795161601,A\n")
    )
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": lines, "isatty": lambda: False}))
    with serving() as (service, connection), pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.events.commands.Connection", lambda _: connection)
        app(["ingest", "-", "--history"], standalone_mode=False)
    assert sorted(service.historical) == ["1", "2"]


def test_a_dry_run_sends_nothing_and_needs_no_server() -> None:
    result = run(nobody(), EXPORTS / "segment.ndjson", "--dry-run", "--history")
    assert result.exit_code == 0
    shown = " ".join(result.stdout.split())
    assert "line 3: demo_request of ines@kiosk.example at 2026-11-20 08:03:00.500 UTC, historical id msg-3" in shown
    assert '{"plan": "pro", "revenue": 49.9}' in result.stdout
    assert "4 events would be sent" in result.stdout
    assert "0 lines would be rejected" in result.stdout
    assert "is NDJSON, read as Segment or RudderStack messages (--format segment)" in result.stderr
    assert "not compared with the model in force and the automation rules: no scoring service answers" in result.stderr


def test_a_dry_run_groups_the_reasons_of_lines(tmp_path: Path) -> None:
    rows = [ROW | {"occurred_at": time} for time in ("31/01/2026 14:22", "28/02/2026 9:05", "2026-01-31T12:00")]
    result = run(nobody(), written(tmp_path / "events.ndjson", *rows, ROW), "--dry-run", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (found["events"], found["rejected"]) == (1, 3)
    assert found["unknown_event_types"] is None
    reasons = [(reason["count"], reason["first_line"]) for reason in found["reasons"]]
    assert reasons == [(2, 1), (1, 3)]
    assert found["first_events"][0]["line"] == 4
    assert found["first_events"][0]["event_id"] == "ada-1"


def test_a_dry_run_rejects_times_that_the_service_would_reject(tmp_path: Path) -> None:
    row = ROW | {"occurred_at": "2100-01-31T12:00:00Z"}
    rows = [row, row | {"sent_time": "2100-01-31T12:00:10Z"}, ROW | {"occurred_at": "1970-01-01T00:00:07Z"}]
    result = run(nobody(), written(tmp_path / "events.ndjson", *rows), "--dry-run", "--json")
    found = json.loads(result.stdout)
    assert (found["events"], found["rejected"]) == (1, 2)
    reasons = [reason["reason"] for reason in found["reasons"]]
    assert "is more than 5 minutes ahead of the server's clock" in reasons[0]
    assert "is before 1971: it stands for a missing time" in reasons[1]
    stored = datetime.fromisoformat(found["first_events"][0]["event_time"])
    assert abs(wire.now() - timedelta(seconds=10) - stored) < timedelta(minutes=1)


def test_a_dry_run_compares_with_the_model_in_force() -> None:
    with serving_all(automation=True) as (_, leadscore):
        found = json.loads(leadscore("ingest", EXPORTS / "segment.ndjson", "--dry-run", "--json").stdout)
        shown = leadscore("ingest", EXPORTS / "segment.ndjson", "--dry-run").stdout
    assert found["unknown_event_types"] == {"page_view": 1, "demo_request": 1, "Order Completed": 1}
    assert found["max_executions"] == {}
    words = " ".join(shown.split())  # a narrow terminal breaks the line
    assert "worth 0 points, because the model in force has no rule for them: page_view (1), demo_request (1)" in words


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--time-zone", "Mars"], "'Mars' is not a time zone"),
        (["--time-format", "dd"], "'dd' is not a time format"),
        (["--format", "excel"], "--format 'excel' is unknown"),
        (["--mapping", "/nowhere.yaml"], "/nowhere.yaml cannot be read"),
        (["--mapping", "/nowhere.yaml", "--format", "segment"], "--format and --mapping cannot be given together"),
    ],
)
def test_a_wrong_option_is_one_line(options: list[str], message: str) -> None:
    result = run(nobody(), EXPORTS / "segment.ndjson", *options)
    assert isinstance(result.exception, CommandError)
    assert message in str(result.exception)


def test_a_mapping_file_of_the_user() -> None:
    result = run(nobody(), EXPORTS / "leads.csv", "--mapping", EXPORTS / "leads.yaml", "--dry-run")
    assert "line 2: demo_request of ines@kiosk.example at 2026-11-20 13:22:00.000 UTC" in result.stdout
    assert f"read as Requests of our shop (--mapping {EXPORTS / 'leads.yaml'})" in result.stderr


def test_formats_are_listed_and_printed() -> None:
    listed = CliRunner().invoke(app, ["formats"]).stdout
    assert "hubspot HubSpot contacts" in [" ".join(line.split()) for line in listed.splitlines()]
    printed = CliRunner().invoke(app, ["formats", "hubspot"]).stdout
    assert "title: HubSpot contacts\n" in printed
    assert isinstance(CliRunner().invoke(app, ["formats", "excel"]).exception, CommandError)
