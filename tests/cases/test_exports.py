"""Exports of other tools, in the layouts that their vendors document, go in as they are."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from tests.cases.conftest import Ingest, counts_of, files_of

PEOPLE = {
    "anke.vogt@nordwind.example",
    "bruno@padaria.example",
    "chloe.martin@fleurs.example",
    "d.orlov@stal.example",
    "emi@kissa.example",
}
VISITORS = {f"18{number}0044{number}1.1795100000" for number in range(5)}
OPTIONS = {"hubspot-contacts.csv": ("--time-zone", "UTC")}
"""Its times name no zone."""
EXPORTS = {
    "amplitude_2026-11-20_8#0.json.gz": ("amplitude", {"page_view": 4, "signup": 3, "demo_request": 3}, PEOPLE),
    "ga4.ndjson": ("ga4", {"page_view": 4, "signup": 3, "generate_lead": 3}, PEOPLE | VISITORS),
    "hubspot-contacts.csv": ("hubspot", {"identify": 5, "contact_created": 5}, PEOPLE),
    "marketo-activities.csv": (
        "marketo",
        {"page_view": 4, "form_submit": 3, "email_open": 3},
        {str(5414080 + number) for number in range(5)},
    ),
    "mixpanel.jsonl": ("mixpanel", {"page_view": 4, "signup": 3, "demo_request": 3}, PEOPLE),
    "posthog.jsonl": ("posthog", {"page_view": 4, "signup": 3, "demo_request": 3}, PEOPLE),
    "salesforce-leads.csv": ("salesforce", {"identify": 5, "lead_created": 5}, PEOPLE),
    "segment.ndjson": (
        "segment",
        {"identify": 4, "page_view": 4, "demo_request": 2, "Order Completed": 2},
        PEOPLE | {"93bd04cf-0fd6-40f1-b29d-0da9953f48f1"},
    ),
    "snowplow.ndjson": ("snowplow", {"page_view": 4, "link_click": 3, "event": 3}, PEOPLE),
}
"""The format that is detected, the number of events of each type, and the leads."""
FIRST, LAST = datetime(2026, 11, 20, 8, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)


def test_every_file_has_a_test() -> None:
    assert files_of("16-exports") == set(EXPORTS)


@pytest.mark.parametrize("name", EXPORTS)
async def test_an_export_goes_in_and_again_without_a_difference(ingest: Ingest, name: str) -> None:
    kind, types, leads = EXPORTS[name]
    result = await ingest(f"16-exports/{name}", "--history", *OPTIONS.get(name, ()))
    assert f"(--format {kind})" in result.output
    assert (counts_of(result), result.exit_code) == ((sum(types.values()), 0, 0, 0), 0)
    assert Counter(each.event_type for each in ingest.stored) == types
    assert {each.lead_id for each in ingest.stored} == leads
    times = [each.event_time for each in ingest.stored if each.event_time]
    assert (min(times).replace(microsecond=0), max(times) < LAST) == (FIRST, True)
    assert all(each.historical for each in ingest.stored)
    again = await ingest(f"16-exports/{name}", "--history", *OPTIONS.get(name, ()))
    assert counts_of(again) == (0, len(ingest.stored), 0, 0)
