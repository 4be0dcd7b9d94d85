"""The status of a system, on one page, with a verdict."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1.health_pb2 import HealthCheckResponse
from leadscore.automation.v1 import automation_pb2 as automation
from leadscore.scoring.v1 import scoring_pb2 as scoring

from cli.operations import status as commands
from cli.operations.health import Health
from cli.operations.problems import Status, Worker, judge
from cli.terminal.connection import full_name
from cli.terminal.counts import age, counted
from cli.terminal.findings import verdict
from shared import wire
from shared.rpc.names import worker_name
from tests.cli.fake_scoring import NOON
from tests.cli.servicer import Run, Services, json_of, serving

NOW = wire.to_time(NOON)
ALL_SERVE = dict.fromkeys(("ingest", "scoring", "automation", "intelligence", "admin"), Health.SERVING)
DECAYED = scoring.DecayedThrough(earliest_date="2026-01-31", latest_date="2026-01-31")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the services, which are in this process, the time that they take on a busy machine."""
    for name in ("ASK_SECONDS", "CONNECT_SECONDS"):
        monkeypatch.setattr(commands, name, 30.0)


@pytest.fixture
def system() -> Iterator[tuple[Services, Run]]:
    """Five services that serve, and a worker."""
    with serving(worker=worker_name("scoring")) as (service, run):
        yield service, run


def ago(**parts: float) -> Timestamp:
    """Returns a time before now by the clock of this machine."""
    return wire.to_timestamp(wire.now() - timedelta(**parts))


def before(**parts: float) -> Timestamp:
    return wire.to_timestamp(NOW - timedelta(**parts))


def test_all_is_well(system: tuple[Services, Run]) -> None:
    _, run = system
    people, programs = run("status"), run("status", "--json")
    assert (people.exit_code, programs.exit_code) == (0, 0)
    assert people.stdout.splitlines()[-1] == "ok"
    for text in ("ingest", "scoring worker", "serving on port", "version 1, built-in", "due deliveries"):
        assert text in people.stdout
    [found] = json_of(programs)
    assert (found["verdict"], found["level"], found["exit_status"], found["problems"]) == ("ok", "ok", 0, [])
    assert found["services"] == dict.fromkeys(ALL_SERVE, "serving")
    assert [(each["service"], each["health"]) for each in found["workers"]] == [("scoring", "serving")]
    assert found["scoring"]["pending_events"] == found["automation"]["pending_changes"] == "0"


def test_a_backlog_is_reported_with_advice(system: tuple[Services, Run]) -> None:
    service, run = system
    behind = scoring.PartitionBehind(partition=17, oldest_accept_time=ago(minutes=5), pending_events=1_234)
    service.backlog = scoring.GetScoringBacklogResponse(
        pending_events=1_300,
        oldest_accept_time=behind.oldest_accept_time,
        partitions_behind=[behind],
        heaviest_leads=[scoring.HeavyLead(lead_id="[red]\x1b", pending_events=1_200)],
        isolated_events=[scoring.IsolatedEvents(attempts=3, event_count=2)],
        parked_events=4,
    )
    service.automation.backlog = automation.GetAutomationBacklogResponse(
        pending_changes=500, oldest_change_time=ago(hours=3), failed_executions=9
    )
    people, programs = run("status"), run("status", "--json")
    assert (people.exit_code, programs.exit_code) == (1, 1)
    assert people.stdout.splitlines()[-1] == "warning: scoring, parked events"
    for text in (
        "1,300, the oldest for 5 min",
        "partition 17",
        "[red]� with 1,200 events",
        "2, with up to 3 failed attempts",
        "500, the oldest for 3 h",
        "1 scoring partition is behind",
        "leadscore parked list",
    ):
        assert text in " ".join(people.stdout.split())  # long lines are wrapped
    [found] = json_of(programs)
    assert [each["level"] for each in found["problems"]] == ["warning", "warning"]
    assert found["scoring"]["partitions_behind"][0]["partition"] == 17


def test_a_rollout_shows_how_many_leads_are_left(system: tuple[Services, Run]) -> None:
    service, run = system
    service.publications = [scoring.ModelPublication(publication=2, version=1, leads_left=8)]
    service.backlog.rollout.CopyFrom(scoring.ModelRollout(publication=2, version=1, publish_time=ago(seconds=5)))
    result = run("status")
    assert (result.exit_code, ", about 7 leads left" in " ".join(result.stdout.split())) == (0, True)


@pytest.mark.parametrize(
    ("name", "subject"), [(full_name("automation"), "automation"), (worker_name("scoring"), "scoring worker")]
)
def test_a_process_that_is_not_serving_is_down(system: tuple[Services, Run], name: str, subject: str) -> None:
    service, run = system
    service.backlog.parked_events = 1
    service.health.set(name, HealthCheckResponse.NOT_SERVING)
    people, programs = run("status"), run("status", "--json")
    assert (people.exit_code, people.stdout.splitlines()[-1]) == (2, f"critical: {subject}")
    assert [each["subject"] for each in json_of(programs)[0]["problems"]] == [subject, "parked events"]


def test_services_that_do_not_answer_are_down_and_the_others_are_still_shown() -> None:
    with serving() as (_, run):  # without ingest and automation
        people, programs = run("status"), run("status", "--json")
    assert (people.exit_code, people.stdout.splitlines()[-1]) == (2, "critical: ingest, automation")
    assert "leadscore up" in people.stdout
    [found] = json_of(programs)
    assert (found["automation"], found["scoring"] is None, found["workers"]) == (None, False, [])


def test_a_service_whose_calls_fail_is_down(system: tuple[Services, Run]) -> None:
    service, run = system
    service.backlog = None  # type: ignore[assignment]  # no answer can be made of it
    result = run("status")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (2, "critical: scoring")
    assert "INTERNAL" in result.stdout


def test_every_service_is_down_when_nothing_runs() -> None:
    with serving() as (_, run):
        pass
    result = run("status")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        2,
        "critical: ingest, scoring, automation, intelligence, admin",
    )


def status(**fields: Any) -> Status:
    """Returns the status of a system that serves, at noon."""
    return Status(**{"time": NOW, "services": ALL_SERVE, "workers": (), "failures": {}, **fields})


@pytest.mark.parametrize(
    ("decayed", "line"),
    [
        (scoring.DecayedThrough(), "ok"),
        (DECAYED, "ok"),
        (scoring.DecayedThrough(earliest_date="2026-01-30", latest_date="2026-01-30", days_behind=1), "ok"),
        (scoring.DecayedThrough(earliest_date="2026-01-29", latest_date="2026-01-29", days_behind=2), "warning: decay"),
        (scoring.DecayedThrough(days_behind=9), "warning: decay"),
        (scoring.DecayedThrough(earliest_date="2026-01-30", latest_date="2026-01-31"), "warning: decay"),
        (scoring.DecayedThrough(latest_date="2026-01-31"), "warning: decay"),
        (scoring.DecayedThrough(earliest_date="2026-02-01", latest_date="2026-02-01"), "ok"),
        (scoring.DecayedThrough(earliest_date="2027-01-31", latest_date="2027-01-31"), "warning: decay"),
    ],
)
def test_the_verdict_on_decay(decayed: scoring.DecayedThrough, line: str) -> None:
    assert verdict(judge(status(scoring=scoring.GetScoringBacklogResponse(decayed_through=decayed)))) == line


@pytest.mark.parametrize(
    ("backlog", "line"),
    [
        (scoring.GetScoringBacklogResponse(pending_events=9, oldest_accept_time=before(seconds=9)), "ok"),
        (scoring.GetScoringBacklogResponse(discarded_events=9), "ok"),
        (
            scoring.GetScoringBacklogResponse(stopped_drain=scoring.StoppedDrain(error="KeyError", failed_events=50)),
            "warning: scoring",
        ),
        (
            scoring.GetScoringBacklogResponse(rollout=scoring.ModelRollout(version=2, publish_time=before(minutes=9))),
            "ok",
        ),
        (
            scoring.GetScoringBacklogResponse(rollout=scoring.ModelRollout(version=2, publish_time=before(minutes=11))),
            "warning: rollout",
        ),
    ],
)
def test_the_verdict_on_scoring(backlog: scoring.GetScoringBacklogResponse, line: str) -> None:
    assert verdict(judge(status(scoring=backlog))) == line


@pytest.mark.parametrize(
    ("backlog", "line"),
    [
        (automation.GetAutomationBacklogResponse(failed_executions=9), "ok"),
        (automation.GetAutomationBacklogResponse(due_deliveries=1, oldest_due_time=before(seconds=59)), "ok"),
        (
            automation.GetAutomationBacklogResponse(due_deliveries=1, oldest_due_time=before(seconds=61)),
            "warning: deliveries",
        ),
        (automation.GetAutomationBacklogResponse(parked_changes=1), "warning: parked changes"),
        (
            automation.GetAutomationBacklogResponse(
                partitions_behind=[automation.PartitionBehind()], oldest_change_time=before(seconds=31)
            ),
            "warning: automation",
        ),
    ],
)
def test_the_verdict_on_automation(backlog: automation.GetAutomationBacklogResponse, line: str) -> None:
    assert verdict(judge(status(automation=backlog))) == line


def test_two_dead_workers_are_two_problems_of_one_subject() -> None:
    problems = judge(status(workers=[Worker("scoring", port, Health.NOT_SERVING) for port in (50061, 50062)]))
    assert (verdict(problems), len(problems)) == ("critical: scoring worker", 2)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (172_800, "2 days")],
)
def test_an_age_is_given_in_its_largest_unit(seconds: int, text: str) -> None:
    assert age(before(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (0, ("lead",), "0 leads"),
        (1, ("lead",), "1 lead"),
        (2_000, ("lead",), "2,000 leads"),
        (1, ("entry", "entries"), "1 entry"),
        (2, ("entry", "entries"), "2 entries"),
        (-1, ("point",), "-1 point"),
    ],
)
def test_a_noun_agrees_with_its_count(count: int, noun: tuple[str, ...], text: str) -> None:
    assert counted(count, *noun) == text
