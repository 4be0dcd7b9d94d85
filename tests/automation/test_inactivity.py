"""The search for inactive leads after each daily run, on fakes, and its ports on MongoDB and the scoring service."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from automation_service.clients import ScoringInactiveLeads
from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.condition import Conditions
from automation_service.domain.inactivity import InactiveLead, Search
from automation_service.domain.rule import Rule
from automation_service.domain.trigger import EventReceived, Inactive
from automation_service.ports import ExecutionQuery, InactivePage, Searches
from automation_service.store.searches import MongoSearches
from automation_service.usecases.evaluation import Evaluation
from automation_service.usecases.inactivity import InactivitySearch
from shared.mongo import Database
from tests.automation.fake_stores import FakeChanges, FakeExecutions, FakeRules
from tests.automation.fakes import NOW, SENDER, FakeDeliveryQueue, FakeInsights, rule
from tests.scoring.conftest import NOW as SCORED
from tests.scoring.conftest import days_ago, new_scoring, served_scoring

DAY = timedelta(days=1)


class FakeSearches:
    """`Searches` in memory."""

    def __init__(self) -> None:
        self.search: Search | None = None

    async def last(self) -> Search | None:
        """Returns the last search."""
        return self.search

    async def put(self, search: Search, before: Search | None) -> None:
        """Stores a search."""
        if self.search == before:
            self.search = search


@dataclass
class FakeInactiveLeads:
    """`InactiveLeads` in memory, two on a page."""

    leads: list[InactiveLead]
    decay_date: str = "2026-03-01"
    asked: list[datetime] = field(default_factory=list)

    async def page(self, since: datetime, token: str, limit: int) -> InactivePage:
        """Returns a page; the token is a position."""
        found = [each for each in self.leads if each.last_event_time <= since]
        start, end = int(token or 0), int(token or 0) + 2
        self.asked.append(since)
        return InactivePage(found[start:end], str(end) if end < len(found) else "", self.decay_date)


def silent(lead_id: str, days: float, score: int = 0) -> InactiveLead:
    return InactiveLead(lead_id, score, "cold", NOW - days * DAY, 3)


def inactive(days: int, rule_id: str = "silent") -> Rule:
    asked = rule(rule_id, Conditions(minimum_score=0))
    return replace(asked, draft=replace(asked.draft, trigger=Inactive(days)))


class Searching:
    """A search on fakes."""

    def __init__(self, leads: Sequence[InactiveLead], *rules: Rule) -> None:
        self.leads, self.rules = FakeInactiveLeads(list(leads)), FakeRules(*rules)
        self.executions, self.now = FakeExecutions(), NOW
        self.insights = FakeInsights()
        evaluation = Evaluation(
            FakeChanges(),
            self.rules,
            self.executions,
            self.insights,
            SandboxedTemplates(),
            SENDER,
            FakeDeliveryQueue(),
            lambda: self.now,
        )
        self.search = InactivitySearch(FakeSearches(), self.leads, self.rules, evaluation, lambda: self.now)

    async def daily_run(self, days: int = 0) -> list[tuple[str, str, str]]:
        """Searches after the daily run of so many days later; returns all executions so far."""
        self.now, self.leads.decay_date = NOW + days * DAY, (NOW + days * DAY).date().isoformat()
        while await self.search.step():
            pass
        found = await self.executions.page(ExecutionQuery(99))
        return sorted((each.key.lead_id, each.key.rule_id, each.key.date_bucket) for each in found)


async def test_a_lead_without_points_or_within_the_grace_is_found() -> None:
    searching = Searching([silent("ada", 3), silent("bob", 2.9), silent("cyd", 400)], inactive(3))
    assert await searching.daily_run() == [("ada", "silent", "2026-03-01"), ("cyd", "silent", "2026-03-01")]


async def test_every_page_is_searched_once_per_daily_run() -> None:
    leads = [silent(f"lead-{number}", 5 + number) for number in range(5)]
    searching = Searching(leads, inactive(3))
    assert len(await searching.daily_run()) == 5
    asked = len(searching.leads.asked)
    assert not await searching.search.step()
    assert len(searching.leads.asked) == asked + 1, "it only asks for the date"


async def test_a_rule_fires_once_per_inactivity_and_again_after_the_next_event() -> None:
    searching = Searching([silent("ada", 3)], inactive(3))
    await searching.daily_run()
    assert len(await searching.daily_run(1)) == 1
    assert searching.insights.asked == [{"ada"}], "nothing is asked about a lead for which the rule has fired"
    searching.leads.leads = [silent("ada", -1)]
    assert len(await searching.daily_run(3)) == 1
    assert len(await searching.daily_run(4)) == 2


async def test_each_rule_has_days_and_conditions_of_its_own() -> None:
    leads = [silent("ada", 3, 40), silent("bob", 8, 40), silent("cyd", 8, 5)]
    received = rule("other", Conditions(minimum_score=0))
    received = replace(received, draft=replace(received.draft, trigger=EventReceived("page_view")))
    searching = Searching(leads, inactive(2, "two"), inactive(7, "seven"), received)
    found = {(lead_id, rule_id) for lead_id, rule_id, _ in await searching.daily_run()}
    assert found == {("ada", "two"), ("bob", "two"), ("cyd", "two"), ("bob", "seven"), ("cyd", "seven")}


async def test_a_rule_that_is_created_after_a_daily_run_waits_for_the_next_one() -> None:
    searching = Searching([silent("ada", 9)])
    await searching.daily_run()
    await searching.rules.create(inactive(3))
    assert await searching.daily_run() == []
    assert len(await searching.daily_run(1)) == 1


async def test_a_clock_that_is_ahead_makes_no_lead_inactive() -> None:
    searching = Searching([silent("ada", 3)], inactive(9))
    searching.now = NOW + 30 * DAY
    while await searching.search.step():
        pass
    assert searching.executions.executions == {}


async def test_nothing_is_searched_before_the_first_daily_run() -> None:
    searching = Searching([silent("ada", 9)], inactive(3))
    searching.leads.decay_date = ""
    assert not await searching.search.step()
    assert searching.executions.executions == {}


@pytest.fixture(params=["memory", "mongodb"])
def searches(request: pytest.FixtureRequest, database: Database) -> Searches:
    return FakeSearches() if request.param == "memory" else MongoSearches(database)


async def test_a_search_is_stored_only_in_the_place_of_the_one_that_was_read(searches: Searches) -> None:
    assert await searches.last() is None
    begun = Search("2026-03-01", NOW, NOW - DAY)
    await searches.put(begun, None)
    await searches.put(replace(begun, begin_time=NOW + DAY), None)
    assert await searches.last() == begun
    further = replace(begun, token="2")  # noqa: S106 (of a page)
    await searches.put(further, begun)
    await searches.put(replace(begun, is_done=True), begun)
    assert await searches.last() == further


async def test_the_scoring_service_lists_inactive_leads_in_pages(database: Database) -> None:
    scoring = await new_scoring(database)
    await scoring.put(
        *((f"e{number}", f"lead{number}", "page_view", days_ago(number)) for number in range(5)),
        ("e9", "live", "page_view", days_ago(9)),
    )
    await scoring.put(("h", "history", "page_view", days_ago(7)), ("h2", "live", "page_view", days_ago(8)))
    await scoring.database["events"].update_many({"_id": {"$in": ["h"]}}, {"$set": {"historical": True}})
    await scoring.drain_all()
    await scoring.run_decay(SCORED)
    async with served_scoring(scoring) as channel:
        leads = ScoringInactiveLeads(channel)
        first = await leads.page(days_ago(2), "", 2)
        second = await leads.page(days_ago(2), first.next_token, 2)
    found = [*first.leads, *second.leads]
    assert [each.lead_id for each in found] == ["lead2", "lead3", "lead4", "live"]
    assert found[0] == InactiveLead("lead2", 5, "cold", days_ago(2), 1)
    assert (second.next_token, first.decay_date) == ("", SCORED.date().isoformat())
