"""Listing what is parked, and trying it again."""

import pytest

from cli.terminal.connection import CommandError
from tests.cli.servicer import json_of, serving


def test_both_kinds_are_listed_with_their_reasons() -> None:
    with serving(automation=True) as (_, run):
        people, programs = run("parked", "list"), run("parked", "list", "--json")
    for text in ("event", "e-1", "change", "bob:2", "ada", "KeyError: 'points'", "[boom]", "2026-01-31 12:00"):
        assert text in people.stdout
    assert "\x1b" not in people.stdout
    assert [each.get("event_id") or each["change_id"] for each in json_of(programs)] == ["e-1", "bob:2"]


@pytest.mark.parametrize(("arguments", "ids"), [(("--all",), []), (("e-1", "bob:2"), ["e-1", "bob:2"])])
def test_a_retry_asks_both_services(arguments: tuple[str, ...], ids: list[str]) -> None:
    with serving(automation=True) as (service, run):
        people, programs = run("parked", "retry", *arguments), run("parked", "retry", *arguments, "--json")
    assert people.stdout == "1 event and 2 changes will be retried\n"
    assert json_of(programs) == [{"retried_events": 1, "retried_changes": 2}]
    assert list(service.requests[0].event_ids) == ids
    assert service.requests[0].all == (not ids)


@pytest.mark.parametrize("arguments", [(), ("e-1", "--all")])
def test_a_retry_needs_ids_or_all(arguments: tuple[str, ...]) -> None:
    with serving(automation=True) as (service, run):
        assert isinstance(run("parked", "retry", *arguments).exception, CommandError)
    assert not service.requests


@pytest.mark.parametrize(("arguments", "ids"), [(("--all",), []), (("e-1", "bob:2"), ["e-1", "bob:2"])])
def test_discarding_asks_both_services_with_reason_and_actor(arguments: tuple[str, ...], ids: list[str]) -> None:
    why = ("--reason", "a bot", "--actor", "eve")
    with serving(automation=True) as (service, run):
        people = run("parked", "discard", *arguments, *why)
        programs = run("parked", "discard", *arguments, *why, "--json")
    assert people.stdout == "discarded: 1 event and 2 changes\n"
    assert json_of(programs) == [{"discarded_events": 1, "discarded_changes": 2}]
    request = service.requests[0]
    assert (list(request.event_ids), request.all, request.reason, request.actor) == (ids, not ids, "a bot", "eve")


def test_discarding_needs_a_reason() -> None:
    with serving(automation=True) as (service, run):
        assert run("parked", "discard", "--all").exit_code != 0
    assert not service.requests
