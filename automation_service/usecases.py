"""What the service does: keep rules, try them out, evaluate them at every change of a lead, and deliver again."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from automation_service.domain import feasibility
from automation_service.domain.action import keep_secrets
from automation_service.domain.condition import Outcome
from automation_service.domain.delivery import Delivery
from automation_service.domain.execution import (
    Candidate,
    Execution,
    NothingToRetry,
    candidates,
    execution,
    fire,
)
from automation_service.domain.lead import Change, Insight, LeadNotFound, facts_of
from automation_service.domain.rule import (
    Draft,
    Rule,
    RuleChanged,
    RuleDisabled,
    RuleNotFound,
    check_rule,
    check_stages,
)
from automation_service.ports import Changes, Executions, Insights, Models, Outlet, Receivers, Rules, Templates
from shared import logs
from shared.calls import deadline

ASK_SECONDS = 5.0
"""Longest time to ask for the insights of one batch."""

Clock = Callable[[], datetime]
_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Scrutiny:
    """Looks a rule over before it is stored."""

    models: Models
    receivers: Receivers
    templates: Templates
    allow_http: bool

    async def of(self, draft: Draft, fields: Collection[str] = ("trigger", "conditions", "actions")) -> list[str]:
        """Returns sentences about what is allowed but hardly meant.

        Only what is among `fields` is compared with the world: a rule whose stage the model has lost, whose host has
        lost its name, or whose URL the operator allows no more, can still be renamed and disabled.

        Raises:
            InvalidRule: It breaks a limit.
        """
        check_rule(draft, allow_http=self.allow_http or "actions" not in fields)
        found: list[str] = []
        if "conditions" in fields or "trigger" in fields:
            model = await self.models.in_force()
            check_stages(draft, model.stage_names)
            found += feasibility.warnings(draft, model)
        if "actions" in fields:
            found += await self._of_actions(draft)
        return found

    async def _of_actions(self, draft: Draft) -> list[str]:
        found: list[str] = []
        for index, action in enumerate(draft.actions):
            place = f"actions[{index}]"
            for name, template in action.templates.items():
                self.templates.check(f"{place}.{action.kind}.{name}", template)
            found += await self.receivers.check(f"{place}.{action.kind}", action)
        return found


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Keeps rules."""

    rules: Rules
    scrutiny: Scrutiny
    clock: Clock

    async def create(self, draft: Draft) -> tuple[Rule, list[str]]:
        """Stores a new rule and returns it, with warnings.

        Raises:
            InvalidRule: It breaks a limit.
            RuleExists: There is one with this id.
        """
        warnings = await self.scrutiny.of(draft)
        now = self.clock()
        rule = Rule(draft, 1, now, now)
        await self.rules.create(rule)
        return rule, warnings

    async def update(self, draft: Draft, fields: Collection[str], revision: int) -> tuple[Rule, list[str]]:
        """Replaces the named fields of a rule and returns it, with warnings; `revision` 0 stands for what is stored.

        An action without secrets keeps those of the stored one with its id. A rule that is enabled has no longer a
        reason to be disabled.

        Raises:
            RuleNotFound: There is none with this id.
            RuleChanged: It has another revision, or was changed meanwhile.
            InvalidRule: It would break a limit.
        """
        stored = await self.rules.get(draft.rule_id)
        if revision not in (0, stored.revision):
            raise RuleChanged(draft.rule_id)
        actions = tuple(keep_secrets(action, stored.draft.action(action.action_id)) for action in draft.actions)
        asked = replace(draft, actions=actions)
        updated = replace(stored.draft, **{field: getattr(asked, field) for field in fields})
        warnings = await self.scrutiny.of(updated, fields)
        reason = "" if updated.enabled else stored.disable_reason
        rule = Rule(updated, stored.revision + 1, stored.create_time, self.clock(), reason)
        if not await self.rules.replace(rule, stored.revision):
            raise RuleChanged(draft.rule_id)
        return rule, warnings


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
class Operation:
    """What people do with rules and executions that are there: try out, and deliver again."""

    rules: Rules
    executions: Executions
    insights: Insights
    scrutiny: Scrutiny
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
        warnings = await self.scrutiny.of(tried.draft)
        insight = (await self.insights.of([lead_id])).get(lead_id)
        if insight is None:
            raise LeadNotFound(lead_id)
        change = Change("", lead_id, 0, (insight.score,), (insight.stage,), (), now.date().isoformat(), now, 0)
        candidate = Candidate(change, tried)
        taken_to_occur = Outcome("trigger", holds=True, explanation=f"taken to occur: {tried.draft.trigger}")
        sent = execution(candidate, insight, now, self.scrutiny.templates.render, self.sender)
        last = (await self.executions.last_firings({candidate.pair})).get(candidate.pair)
        outcomes = [taken_to_occur, *tried.draft.conditions.outcomes(facts_of(change, insight))]
        return Trial(outcomes, warnings, sent.deliveries, last.date_bucket if last else "")

    async def preview(self, changes: Sequence[Change]) -> dict[str, int]:
        """Returns for how many of some supposed changes each enabled rule would fire; records and sends nothing."""
        possible = candidates(changes, await self.rules.enabled())
        insights = await self.insights.of({each.change.lead_id for each in possible})
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


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Evaluates rules at changes; what is to be delivered leaves by the outlet after the commit."""

    changes: Changes
    rules: Rules
    executions: Executions
    insights: Insights
    templates: Templates
    sender: str
    outlet: Outlet
    clock: Clock

    async def step(self, partitions: Sequence[int], most: int, ids: Sequence[str] | None = None) -> int:
        """Settles up to `most` changes of some partitions, those among `ids` if given, and returns the number found.

        All of it is one transaction. Intelligence is asked before, and only for leads on which some rule can still
        fire.
        """
        started = time.perf_counter()
        pending = await self.changes.pending(partitions, most, ids)
        if not pending:
            return 0
        open_ones = await self._candidates(pending)
        insights = await self._ask({each.change.lead_id for each in open_ones})
        recorded = await self.changes.transact(partial(self._settle, pending, open_ones, insights))
        if recorded:
            self.outlet.begin(recorded)
        milliseconds = round((time.perf_counter() - started) * 1000, 2)
        _LOG.info("drain", partitions=len(partitions), changes=len(pending), executions=len(recorded), ms=milliseconds)
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
    ) -> list[Execution]:
        """Records what fires, which is returned, and marks the changes.

        It runs in a transaction, so others may have settled some of them.
        """
        pending = await self.changes.still_pending(changes)
        ids = {change.change_id for change in pending}
        due = [each for each in open_ones if each.change.change_id in ids]
        taken = await self.executions.recorded({each.key for each in due})
        looking_back = [each for each in due if each.looks_back]
        await self.changes.take({each.change.lead_id for each in looking_back})
        firings = await self.executions.last_firings({each.pair for each in looking_back})
        now = self.clock()
        fired = fire(due, insights, taken, firings)
        recorded = self.outlet.admit(
            [execution(each, insights[each.change.lead_id], now, self.templates.render, self.sender) for each in fired]
        )
        await self.executions.record(recorded)
        await self.changes.mark(pending)
        return recorded
