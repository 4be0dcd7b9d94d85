"""Try rules out, and deliver again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from automation_service.domain import need
from automation_service.domain.condition import Outcome
from automation_service.domain.delivery import Delivery
from automation_service.domain.execution import Candidate, Execution, NothingToRetry, candidates, execution, fire
from automation_service.domain.lead import Change, LeadNotFound, facts_of
from automation_service.domain.rule import Draft, Rule, RuleDisabled, RuleNotFound
from automation_service.ports import Executions, Insights, Rules
from automation_service.usecases.inquiry import Inquiry
from automation_service.usecases.rules import Clock, RuleValidator


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule would do for a lead as it is now; the lead's last firing is told by its date bucket, or empty."""

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
    """What people do with rules and executions that are there: try out, and deliver again."""

    rules: Rules
    executions: Executions
    insights: Insights
    validator: RuleValidator
    sender: str
    clock: Clock

    async def test(self, rule: Draft | str, lead_id: str) -> Trial:
        """Returns what a rule, stored under an id or not at all, would do for a lead; records and sends nothing.

        Raises:
            RuleNotFound: There is none with this id.
            InvalidRule: The rule breaks a limit.
            LeadNotFound: The lead has no score.
        """
        now = self.clock()
        tried = await self.rules.get(rule) if isinstance(rule, str) else Rule(rule, 0, now, now)
        warnings = await self.validator.of(tried.draft)
        insight = (await self.insights.of([lead_id], need.EVERYTHING)).get(lead_id)
        if insight is None:
            raise LeadNotFound(lead_id)
        change = Change("", lead_id, 0, (insight.score,), (insight.stage,), (), now.date().isoformat(), now, 0)
        candidate = Candidate(change, tried)
        taken_to_occur = Outcome("trigger", holds=True, explanation=f"taken to occur: {tried.draft.trigger}")
        sent = execution(candidate, insight, now, self.validator.templates.render, self.sender)
        last = (await self.executions.last_firings({candidate.pair})).get(candidate.pair)
        outcomes = [taken_to_occur, *tried.draft.conditions.outcomes(facts_of(change, insight))]
        return Trial(outcomes, warnings, sent.deliveries, last.date_bucket if last else "")

    async def preview(self, changes: Sequence[Change]) -> dict[str, int]:
        """Returns for how many of some supposed changes each enabled rule would fire; records and sends nothing."""
        possible = candidates(changes, await self.rules.enabled())
        insights = await Inquiry(self.insights, self.validator.templates).judge(possible)
        fired = fire(possible, insights, (), {})
        return dict(sorted(Counter(each.rule.draft.rule_id for each in fired).items()))

    async def retry(self, execution_id: str) -> Execution:
        """Makes those deliveries of an execution due at once that have not arrived, and returns it.

        Raises:
            ExecutionNotFound: There is none with this id.
            RuleDisabled: Its rule is disabled or deleted.
            NothingToRetry: All have arrived, are being attempted, or could not be written in the first place.
        """
        stored = await self.executions.get(execution_id)
        await self._require_enabled(stored.key.rule_id)
        now = self.clock()
        revived = replace(stored, deliveries=tuple(each.retried(now) for each in stored.deliveries))
        if revived == stored or not await self.executions.revive(stored, revived):
            raise NothingToRetry(execution_id)
        return revived

    async def _require_enabled(self, rule_id: str) -> None:
        try:
            rule = await self.rules.get(rule_id)
        except RuleNotFound:
            raise RuleDisabled(rule_id) from None
        if not rule.draft.enabled:
            raise RuleDisabled(rule_id)
