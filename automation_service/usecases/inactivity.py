"""Finds inactive leads after each daily run, including those that decay does not change."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from automation_service.domain.inactivity import Search
from automation_service.domain.lead import Row
from automation_service.domain.rule import Rule
from automation_service.domain.trigger import Inactive
from automation_service.ports import Clock, InactiveLeads, Rules, Searches
from automation_service.usecases.evaluation import Evaluation
from shared import logs
from shared.tasks import is_cancelled

POLL_SECONDS = 15.0
"""How often a worker asks whether the daily run has passed another date."""
PAGE_LEADS = 500
"""Leads that are evaluated at a time."""
_LOG = logs.get(__name__)


class Unmarked:
    """A `Source` of changes that nobody marks, because they are found again until a rule has fired for them."""

    async def still_pending(self, rows: Collection[Row]) -> set[Row]:
        """Returns all of them."""
        return set(rows)

    async def mark(self, rows: Collection[Row]) -> None:
        """Does nothing."""

    async def skip(self, rows: Collection[Row]) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True)
class InactivitySearch:
    """Evaluates the rules for inactivity for all leads that have been inactive for long enough, once per daily run.

    Any number of workers may search: executions are unique, and a rule fires once per period of inactivity.
    """

    searches: Searches
    leads: InactiveLeads
    rules: Rules
    evaluation: Evaluation
    clock: Clock

    async def run(self) -> None:
        """Searches after each daily run, until it is cancelled."""
        while not is_cancelled():
            try:
                while await self.step():
                    pass
            except Exception as error:  # noqa: BLE001 (it continues after the last page that it has stored)
                _LOG.warning("search for inactive leads failed; will retry", error=logs.one_line(error))
            await asyncio.sleep(POLL_SECONDS)

    async def step(self) -> bool:
        """Evaluates one page of inactive leads; returns False if there is nothing left until the next daily run."""
        rules = [rule for rule in await self.rules.enabled() if isinstance(rule.draft.trigger, Inactive)]
        search = await self._begun(rules)
        if search.is_done:
            return False
        page = await self.leads.page(search.since, search.token, PAGE_LEADS)
        await self.evaluation.evaluate([search.change_of(lead) for lead in page.leads], rules, Unmarked())
        await self.searches.put(replace(search, token=page.next_token, is_done=not page.next_token), search)
        return True

    async def _begun(self, rules: Sequence[Rule]) -> Search:
        """Returns the last search, or a new one if it is done and the daily run has passed another date since."""
        now, last = self.clock(), await self.searches.last()
        if last is not None and not last.is_done:
            return last
        passed = (await self.leads.page(now, "", 1)).decay_date
        if not passed or (last is not None and passed <= last.date_bucket):
            return last or Search(passed, now, now, is_done=True)
        # Not later than the date lasts anywhere, so that a clock that is ahead makes no lead inactive.
        now = min(now, datetime.fromisoformat(f"{passed}T12:00Z") + timedelta(days=1))
        days = min((_days(rule) for rule in rules), default=0)
        search = Search(passed, now, now - timedelta(days=days), is_done=not rules)
        await self.searches.put(search, last)
        return search


def _days(rule: Rule) -> int:
    return rule.draft.trigger.days if isinstance(rule.draft.trigger, Inactive) else 0
