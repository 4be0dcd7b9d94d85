"""The commands that adjust, retract and rebuild, and the history entries that they leave."""

import uuid
from collections.abc import Iterator

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.leads import show
from cli.terminal.connection import CommandError
from cli.terminal.options import as_of, decay_time
from shared import wire
from tests.cli.fake_scoring import NOON
from tests.cli.servicer import json_of, serving
from tests.cli.terminal import text_of


@pytest.mark.parametrize(("option", "value"), [("delta", -20), ("delta", 0), ("target", 30)])
def test_an_adjustment_prints_its_effect_and_its_request_id(option: str, value: int) -> None:
    with serving() as (service, run):
        result = run("adjust", "ada", f"--{option}", value, "--reason", "met her", "--actor", "grace")
    (request,) = service.requests
    assert (request.lead_id, request.reason, request.actor) == ("ada", "met her", "grace")
    assert request.WhichOneof("change") == option
    assert getattr(request, option) == value
    assert str(uuid.UUID(request.request_id)) == request.request_id
    assert request.request_id in result.stderr
    assert "50 →" in result.stdout


def test_an_adjustment_can_be_repeated_with_its_request_id() -> None:
    with serving() as (service, run):
        arguments = ("adjust", "ada", "--delta", 5, "--reason", "x", "--actor", "grace", "--request-id", "once")
        result = run(*arguments, "--json")
    assert service.requests[0].request_id == "once"
    assert json_of(result)[0]["delta"] == "5"


@pytest.mark.parametrize("change", [(), ("--delta", "1", "--target", "2")])
def test_an_adjustment_needs_either_a_delta_or_a_target(change: tuple[str, ...]) -> None:
    with serving() as (service, run):
        error = run("adjust", "ada", "--reason", "x", "--actor", "grace", *change).exception
    assert "either --delta or --target" in str(error)
    assert not service.requests


def test_a_retraction_prints_the_new_score() -> None:
    with serving() as (service, run):
        result = run("retract", "event-1", "--reason", "a bot", "--actor", "grace")
    assert result.stdout == "retracted from ada: 50 → 30 points, warm\n"
    assert service.requests == [pb.RetractEventRequest(event_id="event-1", reason="a bot", actor="grace")]


def test_retracting_a_parked_event_reports_that_it_was_discarded() -> None:
    with serving() as (_, run):
        arguments = ("retract", "parked", "--reason", "a bot", "--actor", "grace")
        people, programs = run(*arguments), run(*arguments, "--json")
    assert people.stdout == "discarded: the event was parked and had no effect on ada\n"
    assert json_of(programs) == [{"lead_id": "ada", "discarded": True}]


def test_rebuilding_one_lead_prints_the_change() -> None:
    with serving() as (service, run):
        assert run("rebuild", "ada").stdout == "rebuilt: 20 → 30 points\n"
    assert service.requests == [pb.RebuildLeadScoreRequest(lead_id="ada")]


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--check",), 1)])
def test_rebuilding_all_leads_prints_the_changed_ones(options: tuple[str, ...], status: int) -> None:
    with serving() as (service, run):
        service.answers = [
            pb.RebuildLeadScoresResponse(
                leads_checked=1, leads_total=2, leads_changed=1, changed_lead_ids=["a\x1b[1m"]
            ),
            pb.RebuildLeadScoresResponse(leads_checked=2, leads_total=2, leads_changed=1, done=True),
        ]
        people, programs = run("rebuild", "--all", *options), run("rebuild", "--all", *options, "--json")
    assert people.exit_code == programs.exit_code == status
    assert people.stdout.splitlines()[0] == "a�[1m"
    assert "2 leads checked, 1 " in people.stdout
    assert [each.get("changed_lead_id") for each in json_of(programs)] == ["a\x1b[1m", None]
    assert service.requests[0].check_only == bool(options)


def test_rebuilt_leads_are_printed_even_if_the_run_fails() -> None:
    def answers() -> Iterator[pb.RebuildLeadScoresResponse]:
        yield pb.RebuildLeadScoresResponse(leads_checked=1, leads_total=2, leads_changed=1, changed_lead_ids=["ada"])
        raise ZeroDivisionError

    with serving() as (service, run):
        service.answers = answers()
        result = run("rebuild", "--all")
    assert (result.stdout, type(result.exception)) == ("ada\n", CommandError)


def test_a_check_without_differences_succeeds() -> None:
    with serving() as (service, run):
        service.answers = [pb.RebuildLeadScoresResponse(leads_checked=2, leads_total=2, done=True)]
        result = run("rebuild", "--all", "--check")
    assert (result.exit_code, result.stdout) == (0, "2 leads checked, 0 differ from their history\n")


@pytest.mark.parametrize("arguments", [(), ("ada", "--all"), ("ada", "--check"), ("--check",)])
def test_rebuilding_needs_a_lead_or_all(arguments: tuple[str, ...]) -> None:
    with serving() as (service, run):
        assert isinstance(run("rebuild", *arguments).exception, CommandError)
    assert not service.requests


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31", "2026-01-31T23:59:59.999Z"),
        ("2026-01-31T12:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31 12:00", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:01.5+01:00", "2026-01-31T11:00:01.500Z"),
    ],
)
def test_as_of_accepts_dates_and_times(text: str, instant: str) -> None:
    assert as_of(text).ToJsonString() == instant


def test_as_of_today_is_now() -> None:
    before = wire.to_timestamp(wire.now())
    assert before.ToNanoseconds() <= as_of(f"{wire.now():%Y-%m-%d}").ToNanoseconds()


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31", "2026-01-31T12:00:00Z"),
        ("2199-01-01", "2199-01-01T00:00:00Z"),
        ("2026-01-31T12:00+13:00", "2026-01-30T23:00:00Z"),
    ],
)
def test_a_decay_run_accepts_dates_and_times(text: str, instant: str) -> None:
    assert decay_time(text).ToJsonString() == instant


def test_todays_decay_run_is_not_in_the_future() -> None:
    assert decay_time(f"{wire.now():%Y-%m-%d}").ToNanoseconds() <= wire.to_timestamp(wire.now()).ToNanoseconds()


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30", "12:00"])
def test_an_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="--as-of is"):
        as_of(text)


def test_the_history_shows_corrections_with_reason_and_actor() -> None:
    def entry(kind: pb.EntryKind, **fields: object) -> pb.ScoreEntry:
        return pb.ScoreEntry(kind=kind, event_time=NOON, **fields)  # type: ignore[arg-type]

    table = text_of(
        show.history_table(
            [
                entry(
                    pb.ENTRY_KIND_EVENT, event_type="signup", rule_id="signup", points=20, delta=20, stage_after="warm"
                ),
                entry(pb.ENTRY_KIND_MODEL, model_version=3, delta=5),
                entry(pb.ENTRY_KIND_ADJUSTMENT, points=7, delta=7, reason="met [her]", actor="grace"),
                entry(pb.ENTRY_KIND_RETRACTION, event_type="view", delta=-5, reason="bot\x1b", actor="ada"),
                entry(pb.ENTRY_KIND_DECAY, delta=-1),
            ]
        )
    )
    for text in (
        "signup",
        "+20",
        "model 3",
        "adjustment",
        "met [her] (grace)",
        "+7",
        "retraction of view",
        "bot� (ada)",
    ):
        assert text in table
    assert all(len(line) <= 100 for line in table.splitlines())
