"""`leadscore deliveries`: hold and release."""

from leadscore.automation.v1 import automation_pb2 as pb

from cli.terminal.connection import CommandError
from tests.cli.servicer import json_of, serving

WHO = ("--actor", "grace")


def test_holding_sends_the_reason_and_prints_the_hold() -> None:
    with serving(automation=True) as (_, run):
        people = run("deliveries", "hold", "--reason", "restored", *WHO)
        programs = run("deliveries", "hold", "--reason", "restored", *WHO, "--json")
    assert people.stdout == "deliveries are on hold: restored (grace)\n"
    assert json_of(programs)[0]["reason"] == "restored"


def test_releasing_cancels_nothing_by_default() -> None:
    with serving(automation=True) as (service, run):
        assert run("deliveries", "release", *WHO).stdout == "deliveries are released\n"
    assert service.automation.requests == [pb.ReleaseDeliveriesRequest(actor="grace")]


def test_cancelling_goes_on_until_the_hold_has_ended() -> None:
    with serving(automation=True) as (service, run):
        found = run("deliveries", "release", "--cancel", "--until", "2026-03-01", *WHO)
    assert found.stdout == "deliveries are released; 1,000 executions cancelled\n"
    assert found.stderr == "500 executions cancelled so far\n"
    assert [each.cancel_recorded_before.ToJsonString() for each in service.automation.requests] == [
        "2026-03-02T00:00:00Z"
    ] * 2


def test_a_time_without_cancelling_is_refused() -> None:
    with serving(automation=True) as (service, run):
        found = run("deliveries", "release", "--until", "2026-03-01", *WHO)
    assert isinstance(found.exception, CommandError)
    assert not service.automation.requests
