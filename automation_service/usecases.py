"""What the service does: keep rules, and evaluate them at every change of a lead."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from automation_service.domain.execution import Candidate, Change, Insight, candidates, execution, fire
from automation_service.domain.rule import Draft, Rule, RuleChanged, check_rule, check_stages
from automation_service.ports import Changes, Executions, Insights, Rules, Stages
from shared import logs
from shared.calls import deadline

ASK_SECONDS = 5.0
"""Longest time to ask for the insights of one batch."""

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Keeps rules."""

    rules: Rules
    stages: Stages
    clock: Callable[[], datetime]

    async def create(self, draft: Draft) -> Rule:
        """Stores a new rule and returns it.

        Raises:
            InvalidRule: It breaks a limit.
            RuleExists: There is one with this id.
        """
        await self._check(draft)
        now = self.clock()
        rule = Rule(draft, 1, now, now)
        await self.rules.create(rule)
        return rule

    async def update(self, draft: Draft, fields: Collection[str], revision: int) -> Rule:
        """Replaces the named fields of a rule and returns it; `revision` 0 stands for whatever is stored.

        Raises:
            RuleNotFound: There is none with this id.
            RuleChanged: It has another revision, or was changed meanwhile.
            InvalidRule: It would break a limit.
        """
        stored = await self.rules.get(draft.rule_id)
        if revision not in (0, stored.revision):
            raise RuleChanged(draft.rule_id)
        updated = replace(
            stored,
            draft=replace(stored.draft, **{field: getattr(draft, field) for field in fields}),
            revision=stored.revision + 1,
            update_time=self.clock(),
        )
        # A rule whose stages the model has lost can still be renamed and disabled.
        await self._check(updated.draft, with_stages="conditions" in fields)
        if not await self.rules.replace(updated, stored.revision):
            raise RuleChanged(draft.rule_id)
        return updated

    async def _check(self, draft: Draft, *, with_stages: bool = True) -> None:
        check_rule(draft)
        if with_stages and draft.conditions.stages:
            check_stages(draft.conditions, await self.stages.names())


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Evaluates rules at changes."""

    changes: Changes
    rules: Rules
    executions: Executions
    insights: Insights
    clock: Callable[[], datetime]

    async def step(self, partitions: Sequence[int], most: int) -> int:
        """Settles up to `most` changes of some partitions in one transaction and returns the number that was found.

        Intelligence is asked before, and only for leads on which some rule can still fire.
        """
        started = time.perf_counter()
        pending = await self.changes.pending(partitions, most)
        if not pending:
            return 0
        open_ones = await self._candidates(pending)
        insights = await self._ask({each.change.lead_id for each in open_ones})
        recorded = await self.changes.transact(partial(self._settle, pending, open_ones, insights))
        milliseconds = round((time.perf_counter() - started) * 1000, 2)
        _LOG.info("drain", partitions=len(partitions), changes=len(pending), executions=recorded, ms=milliseconds)
        return len(pending)

    async def _candidates(self, pending: Sequence[Change]) -> list[Candidate]:
        possible = candidates(pending, await self.rules.enabled())
        taken = await self.executions.recorded({each.key for each in possible})
        return [each for each in possible if each.key not in taken]

    async def _ask(self, lead_ids: Collection[str]) -> Mapping[str, Insight]:
        if not lead_ids:
            return {}
        with deadline(ASK_SECONDS):
            return await self.insights.of(lead_ids)

    async def _settle(
        self, changes: Sequence[Change], open_ones: Sequence[Candidate], insights: Mapping[str, Insight]
    ) -> int:
        """Records what fires and marks the changes; runs in a transaction, so others may have settled some of them."""
        pending = await self.changes.still_pending(changes)
        ids = {change.change_id for change in pending}
        due = [each for each in open_ones if each.change.change_id in ids]
        taken = await self.executions.recorded({each.key for each in due})
        now = self.clock()
        fired = fire(due, insights, taken)
        await self.executions.record([execution(each, insights[each.change.lead_id], now) for each in fired])
        await self.changes.mark(pending)
        return len(fired)
