"""Running decay, and taking it back."""

import getpass

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.operations import decay
from cli.terminal.connection import CommandError
from tests.cli.servicer import json_of, serving

RESET = ("decay", "reset", "--to", "2026-03-10", "--reason", "a clock was ahead")
PROGRESS = [
    pb.ResetDecayResponse(to_date="2026-03-10", leads_checked=2, leads_total=5, leads_changed=1, points_restored=60),
    pb.ResetDecayResponse(
        to_date="2026-03-10", leads_checked=5, leads_total=5, leads_changed=4, points_restored=1_200, done=True
    ),
]


def test_decay_runs_as_ever() -> None:
    with serving() as (service, run):
        service.answers = [
            pb.DecayScoresResponse(
                through_date="2026-03-20",
                leads_checked=5,
                leads_changed=4,
                entries_appended=4,
                points_removed=25,
                done=True,
                dry_run=True,
            )
        ]
        people = run("decay", "--as-of", "2026-03-20T12:00Z", "--dry-run")
        programs = run("decay", "--json")
    assert people.stdout == "through 2026-03-20: 4 of 5 inactive leads would lose 25 points in 4 entries\n"
    assert json_of(programs)[0]["points_removed"] == "25"
    assert [(each.dry_run, each.HasField("as_of_time")) for each in service.requests] == [(True, True), (False, False)]


def test_points_that_negative_scores_gain_are_told_as_such() -> None:
    with serving() as (service, run):
        service.answers = [pb.DecayScoresResponse(through_date="2026-03-20", points_removed=-3, done=True)]
        decayed, decayed_as_json = run("decay"), run("decay", "--json")
        service.answers = [pb.ResetDecayResponse(to_date="2026-03-10", points_restored=-3, done=True)]
        reset = run(*RESET)
    assert decayed.stdout == "through 2026-03-20: 0 of 0 inactive leads gained 3 points in 0 entries\n"
    assert json_of(decayed_as_json)[0]["points_removed"] == "-3"
    assert reset.stdout == "back to 2026-03-10: 0 of 0 leads gave 3 points back\n"


def test_a_reset_tells_what_came_back() -> None:
    with serving() as (service, run):
        service.answers = PROGRESS
        people, programs = run(*RESET, "--actor", "eve"), run(*RESET, "--actor", "eve", "--json")
    assert people.stdout == "back to 2026-03-10: 4 of 5 leads got 1,200 points back\n"
    assert json_of(programs)[0]["points_restored"] == "1200"
    request = pb.ResetDecayRequest(to_date="2026-03-10", reason="a clock was ahead", actor="eve")
    assert service.requests == [request, request]


def test_a_reset_is_by_whoever_is_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "grace")
    with serving() as (service, run):
        service.answers = PROGRESS
        run(*RESET)
    assert service.requests[0].actor == "grace"


@pytest.mark.parametrize(
    ("arguments", "answer", "calls"), [((), "n\n", 0), ((), "y\n", 1), ((), "\n", 0), (("--yes",), "", 1)]
)
def test_a_person_at_a_terminal_is_asked_first(
    arguments: tuple[str, ...], answer: str, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decay, "is_terminal", lambda: True)
    with serving() as (service, run):
        service.answers = PROGRESS
        result = run(*RESET, "--actor", "eve", *arguments, input=answer)
    assert len(service.requests) == calls
    assert (result.exit_code == 0) == bool(calls)
    assert ("Take back every decay tick after 2026-03-10" in result.stderr) == (not arguments)


@pytest.mark.parametrize("text", ["soon", "2026-02-30", "2026-03-10T12:00Z", ""])
def test_what_is_no_date_is_told_in_one_line(text: str) -> None:
    with serving() as (service, run):
        error = run("decay", "reset", "--to", text, "--reason", "x", "--actor", "eve").exception
    assert isinstance(error, CommandError)
    assert str(error) == f"--to is {text!r}, must be a date such as 2026-01-31"
    assert not service.requests


@pytest.mark.parametrize("missing", ["--to", "--reason"])
def test_a_reset_needs_a_date_and_a_reason(missing: str) -> None:
    index = RESET.index(missing)
    with serving() as (service, run):
        assert run(*RESET[:index], *RESET[index + 2 :]).exit_code == 2
    assert not service.requests


@pytest.mark.parametrize("option", [("--dry-run",), ("--as-of", "2026-01-31"), ("--base-port", "5"), ("--json",)])
def test_an_option_before_reset_is_refused(option: tuple[str, ...]) -> None:
    with serving() as (service, run):
        error = run("decay", *option, *RESET[1:]).exception
    assert isinstance(error, CommandError)
    assert str(error).startswith(option[0])
    assert not service.requests
