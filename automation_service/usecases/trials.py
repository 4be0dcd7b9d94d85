"""Test rules, preview rules, and retry deliveries."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from automation_service.domain import need
from automation_service.domain.condition import Outcome
from automation_service.domain.delivery import Delivery
from automation_service.domain.execution import Candidate, Execution, NothingToRetry, candidates, execution, fire
from automation_service.domain.lead import NO_ROW, Change, LeadNotFound, facts_of
from automation_service.domain.rule import Draft, Rule, RuleDisabled, RuleNotFound
from automation_service.ports import Clock, Executions, Insights, Rules
from automation_service.usecases.inquiry import Inquiry
from automation_service.usecases.rules import RuleValidator


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule would do for a lead in its present state.

    `last_date_bucket` is the date on which the rule last fired for the lead; it is empty if it never has.
    """

    outcomes: Sequence[Outcome]
    warnings: Sequence[str]
    deliveries: Sequence[Delivery]
    last_date_bucket: str

    @property
    def would_fire(self) -> bool:
        """Whether every condition holds."""
        return all(outcome.holds for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class RuleTester:
    """Tests rules against real leads, and retries executions."""

    rules: Rules
    executions: Executions
    insights: Insights
    validator: RuleValidator
    sender: str
    clock: Clock

    async def test(self, rule: Draft | str, lead_id: str) -> Trial:
        """Returns what a rule, given as a draft or by its id, would do for a lead. Records and sends nothing.

        Raises:
            RuleNotFound: No rule has this id.
            InvalidRule: The rule is not valid.
            LeadNotFound: The lead has no score.
        """
        now = self.clock()
        tested = await self.rules.get(rule) if isinstance(rule, str) else Rule(rule, 0, now, now)
        warnings = await self.validator.validate(tested.draft)
        insight = (await self.insights.of([lead_id], need.EVERYTHING)).get(lead_id)
        if insight is None:
            raise LeadNotFound(lead_id)
        change = Change(NO_ROW, lead_id, 0, (insight.score,), (insight.stage,), (), now.date().isoformat(), now, 0)
        candidate = Candidate(change, tested)
        trigger = Outcome("trigger", holds=True, explanation=f"assumed: {tested.draft.trigger}")
        fired = execution(candidate, insight, now, self.validator.templates.render, self.sender)
        last = (await self.executions.last_firings({candidate.pair})).get(candidate.pair)
        outcomes = [trigger, *tested.draft.conditions.outcomes(facts_of(change, insight))]
        return Trial(outcomes, warnings, fired.deliveries, last.date_bucket if last else "")

    async def preview(self, changes: Sequence[Change]) -> dict[str, int]:
        """Returns for how many of the hypothetical changes each enabled rule would fire. Records and sends nothing."""
        possible = candidates(changes, await self.rules.enabled())
        insights = await Inquiry(self.insights, self.validator.templates).judge(possible)
        fired = fire(possible, insights, (), {})
        return dict(sorted(Counter(each.rule.draft.rule_id for each in fired).items()))

    async def retry(self, execution_id: str) -> Execution:
        """Makes the failed, cancelled and waiting deliveries of an execution due now, and returns the execution.

        Raises:
            ExecutionNotFound: No execution has this id.
            RuleDisabled: Its rule is disabled or deleted.
            NothingToRetry: Every delivery has arrived, is being attempted, or has no body because rendering failed.
        """
        stored = await self.executions.get(execution_id)
        await self._require_enabled(stored.key.rule_id)
        revived = await self._revive(stored, self.clock())
        if revived is None:
            raise NothingToRetry(execution_id)
        return revived

    async def retry_all(self, executions: Sequence[Execution]) -> int:
        """Does for some executions what `retry` does for one; returns how many had something to retry.

        Executions whose rule is disabled or deleted are skipped.
        """
        enabled = await self.rules.enabled({each.key.rule_id for each in executions})
        rule_ids, now = {rule.draft.rule_id for rule in enabled}, self.clock()
        due = [each for each in executions if each.key.rule_id in rule_ids]
        return sum([await self._revive(each, now) is not None for each in due])

    async def _revive(self, stored: Execution, now: datetime) -> Execution | None:
        """Makes the deliveries of an execution due; returns None if there is nothing to retry."""
        revived = replace(stored, deliveries=tuple(each.retried(now) for each in stored.deliveries))
        if revived == stored or not await self.executions.revive(stored, revived):
            return None
        return revived

    async def _require_enabled(self, rule_id: str) -> None:
        try:
            rule = await self.rules.get(rule_id)
        except RuleNotFound:
            raise RuleDisabled(rule_id) from None
        if not rule.draft.enabled:
            raise RuleDisabled(rule_id)
