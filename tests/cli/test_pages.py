"""Lists longer than a page are printed in full, or up to `--limit`."""

import pytest

from tests.cli.servicer import json_of, serving

WHOLE = 1001
"""The length of a list with three pages."""


@pytest.mark.parametrize("limit", [1, 499, 500, 501, 1000])
@pytest.mark.parametrize(
    ("arguments", "field", "prefix"),
    [
        (("top", "--stage", "hot"), "lead_id", "l"),
        (("executions", "list", "--lead", "ada"), "execution_id", "x"),
    ],
)
def test_a_list_ends_at_the_limit(arguments: tuple[str, ...], field: str, prefix: str, limit: int) -> None:
    with serving(automation=True) as (_, run):
        found = json_of(run(*arguments, "--limit", limit, "--json"))
    assert [each[field] for each in found] == [f"{prefix}-{number + 1}" for number in range(limit)]
    assert {each.get("stage") or each["lead_id"] for each in found} == {arguments[-1]}, "expected it on each page"


@pytest.mark.parametrize(("parked", "limit", "shown"), [(3, 1000, 3), (501, 1000, 501), (WHOLE, 1000, 1000)])
def test_a_list_of_parked_events_ends_at_the_limit(parked: int, limit: int, shown: int) -> None:
    with serving(automation=True) as (service, run):
        service.parked_events = parked
        found = json_of(run("parked", "list", "--limit", limit, "--json"))
    ids = [each["event_id"] for each in found if "event_id" in each]
    assert ids == [f"e-{number + 1}" for number in range(shown)]


def test_all_rules_are_listed() -> None:
    with serving(automation=True) as (_, run):
        found = json_of(run("rules", "list", "--json"))
    assert [each["rule_id"] for each in found] == [f"r-{number + 1}" for number in range(WHOLE)]


def test_top_says_that_there_are_more_leads() -> None:
    with serving() as (_, run):
        result = run("top", "--limit", "3", "--json")
    assert [each["lead_id"] for each in json_of(result)] == ["l-1", "l-2", "l-3"]
    assert "there are more than 3 leads" in result.stderr
