"""What the use cases see of the world, in memory."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from automation_service.clients import _model
from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.action import Action
from automation_service.domain.condition import Conditions
from automation_service.domain.delivery import NEVER, Answer, Delivery, ExecutionState, Fate
from automation_service.domain.execution import (
    Candidate,
    Execution,
    ExecutionNotFound,
    Firing,
    Firings,
    Key,
    execution,
)
from automation_service.domain.feasibility import Model
from automation_service.domain.lead import Change, Insight, Risk
from automation_service.domain.limits import InvalidRule
from automation_service.domain.need import Need
from automation_service.domain.receiver import Webhook
from automation_service.domain.rule import Draft, Rule, RuleExists, RuleNotFound
from automation_service.ports import Claim, Due, ExecutionQuery, Settlement
from scoring_service import model_codec
from shared.rpc.pagination import Place
from testkit.receiver import SECRET
from tests.scoring.models import BUILT_IN

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INSIGHT = Insight(velocity=9, risk=Risk.LOW, next_action="prioritize_contact", score=40, stage="hot")
MODEL = _model(model_codec.write_model(BUILT_IN))
"""The built-in model, as it comes over the wire."""
SENDER = "leads@example.org"
T = TypeVar("T")


def webhook(action_id: str = "crm", url: str = "https://crm.example/hook") -> Action:
    """Returns an action that tells a webhook."""
    return Action(action_id, Webhook(url, (SECRET,)))


def draft(rule_id: str = "call", conditions: Conditions | None = None, *actions: Action, enabled: bool = True) -> Draft:
    """Returns what a caller says of a rule; it asks for a hot lead unless told otherwise."""
    return Draft(rule_id, rule_id.title(), enabled, conditions or Conditions(stages=("hot",)), actions=actions)


def rule(rule_id: str = "call", conditions: Conditions | None = None, *actions: Action, enabled: bool = True) -> Rule:
    """Returns a stored rule."""
    return Rule(draft(rule_id, conditions, *actions, enabled=enabled), 1, NOW, NOW)


def change(lead_id: str = "ada", sequence: int = 1, score: int = 40, stage: str = "hot", day: int = 1) -> Change:
    """Returns a change that left a lead with a score in a stage."""
    return Change(
        change_id=f"{lead_id}:{sequence}",
        lead_id=lead_id,
        sequence=sequence,
        scores=(0, score),
        stages=("cold", stage),
        event_types=("page_view",),
        date_bucket=f"2026-03-{day:02}",
        last_event_time=NOW - timedelta(hours=1),
        inactive_days=0,
        kinds=("EVENT",),
    )


def executed(change_: Change, rule_: Rule, record_time: datetime = NOW, insight: Insight = INSIGHT) -> Execution:
    """Returns the execution that a rule leaves on a change."""
    return execution(Candidate(change_, rule_), insight, record_time, SandboxedTemplates().render, SENDER)


class FakeChanges:
    """`Changes` in memory; a transaction is one at a time, and does not roll back."""

    def __init__(self, *waiting: Change) -> None:
        self.waiting = list(waiting)

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body`."""
        return await body()

    async def pending(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> list[Change]:
        """Returns the oldest changes, whatever the partition."""
        found = [each for each in self.waiting if ids is None or each.change_id in ids]
        return sorted(found[:limit], key=lambda each: (each.lead_id, each.sequence))

    async def still_pending(self, changes: Sequence[Change]) -> list[Change]:
        """Returns those of the changes that nobody has marked."""
        return [each for each in changes if each in self.waiting]

    async def lock(self, lead_ids: Collection[str]) -> None:
        """Does nothing: transactions are one at a time."""

    async def mark(self, changes: Sequence[Change]) -> None:
        """Marks changes as done."""
        self.waiting = [each for each in self.waiting if each not in changes]


class FakeRules:
    """`Rules` in memory; what is cancelled is in `executions`."""

    def __init__(self, *rules: Rule, executions: "FakeExecutions | None" = None) -> None:
        self.rules = {each.draft.rule_id: each for each in rules}
        self._executions = executions or FakeExecutions()

    async def create(self, rule: Rule) -> None:
        """Stores a new rule."""
        if rule.draft.rule_id in self.rules:
            raise RuleExists(rule.draft.rule_id)
        self.rules[rule.draft.rule_id] = rule

    async def get(self, rule_id: str) -> Rule:
        """Returns a rule."""
        if rule_id not in self.rules:
            raise RuleNotFound(rule_id)
        return self.rules[rule_id]

    async def page(self, after: Place, limit: int) -> list[Rule]:
        """Returns the rules whose ids follow another one."""
        return [self.rules[rule_id] for rule_id in sorted(self.rules) if (rule_id,) > after][:limit]

    async def enabled(self, rule_ids: Collection[str] | None = None) -> list[Rule]:
        """Returns all enabled rules, or those with some ids."""
        return [
            each
            for rule_id, each in self.rules.items()
            if each.draft.enabled and (rule_ids is None or rule_id in rule_ids)
        ]

    async def replace(self, rule: Rule, revision: int) -> bool:
        """Stores a rule in the place of the one with this revision."""
        stored = self.rules.get(rule.draft.rule_id)
        if stored is None or stored.revision != revision:
            return False
        self.rules[rule.draft.rule_id] = replace(rule)
        if not rule.draft.enabled:
            self._cancel(rule.draft.rule_id)
        return True

    async def delete(self, rule_id: str) -> None:
        """Deletes a rule."""
        if self.rules.pop(rule_id, None) is None:
            raise RuleNotFound(rule_id)
        self._cancel(rule_id)

    def _cancel(self, rule_id: str) -> None:
        for key, each in self._executions.executions.items():
            if key.rule_id == rule_id:
                deliveries = (
                    delivery.cancelled()
                    if delivery.state is ExecutionState.PENDING and not delivery.lease
                    else delivery
                    for delivery in each.deliveries
                )
                self._executions.executions[key] = replace(each, deliveries=tuple(deliveries))


class FakeExecutions:
    """`Executions` and `Deliveries` in memory."""

    def __init__(self, *executions: Execution) -> None:
        self.executions = {each.key: each for each in executions}
        self._leases = 0

    async def recorded(self, keys: Collection[Key]) -> set[Key]:
        """Returns those of the keys under which an execution is recorded."""
        return set(keys) & set(self.executions)

    async def last_firings(self, pairs: Collection[tuple[str, str]]) -> Firings:
        """Returns when rules last fired for leads."""
        found = sorted(self.executions.values(), key=lambda each: each.key.date_bucket)
        fired = {each.key[:2]: Firing(each.key.date_bucket, each.last_event_time) for each in found}
        return {pair: fired[pair] for pair in pairs if pair in fired}

    async def record(self, executions: Sequence[Execution]) -> None:
        """Stores executions."""
        for each in executions:
            assert each.key not in self.executions
            self.executions[each.key] = each

    async def get(self, execution_id: str) -> Execution:
        """Returns an execution."""
        for each in self.executions.values():
            if each.execution_id == execution_id:
                return each
        raise ExecutionNotFound(execution_id)

    async def page(self, query: ExecutionQuery) -> list[Execution]:
        """Returns executions, latest first."""
        asked = (query.lead_id, query.rule_id, query.date_bucket)
        matching = [
            each
            for each in self.executions.values()
            if all(part in ("", own) for part, own in zip(asked, each.key, strict=True))
            and query.state in (None, each.state)
            and (query.from_time is None or query.from_time <= each.record_time)
            and (query.until_time is None or each.record_time < query.until_time)
            and (not query.after or (each.record_time, each.execution_id) < query.after)
        ]
        return sorted(matching, key=lambda each: (each.record_time, each.execution_id), reverse=True)[: query.limit]

    async def revive(self, before: Execution, after: Execution) -> bool:
        """Stores the deliveries of `after` if those of `before` are stored."""
        if self.executions[before.key].deliveries != before.deliveries:
            return False
        self.executions[before.key] = after
        return True

    async def due(self, now: datetime, busy: Collection[str], limit: int) -> list[Due]:
        """Returns the deliveries that have been due for longest."""
        found = [
            delivery
            for each in self.executions.values()
            for delivery in each.deliveries
            if delivery.due_time <= now and delivery.endpoint not in busy
        ]
        found.sort(key=lambda each: each.due_time)
        return [Due(each.delivery_id, each.endpoint) for each in found[:limit]]

    async def claim(self, due: Collection[Due], now: datetime, until: datetime) -> list[Claim]:
        """Claims those that are still due."""
        self._leases += 1
        wanted, claims = {each.delivery_id for each in due}, []
        for key, each in list(self.executions.items()):
            for delivery in each.deliveries:
                if delivery.delivery_id in wanted and delivery.due_time <= now:
                    claims.append(Claim(key.rule_id, delivery.claimed(str(self._leases), until)))
                    self._put(key, claims[-1].delivery)
        return claims

    async def repair_due_times(self, now: datetime, latest: datetime) -> None:
        """Makes due what lies too far ahead."""
        for key, each in list(self.executions.items()):
            for delivery in each.deliveries:
                if latest < delivery.due_time < NEVER and (delivery.lease or not delivery.tries):
                    self._put(key, replace(delivery, due_time=now))

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[None]:
        """Stores what became of claimed deliveries."""
        for claim, delivery in settlements:
            for key, each in self.executions.items():
                if claim.delivery in each.deliveries:
                    self._put(key, delivery)
        return [None] * len(settlements)

    def _put(self, key: Key, delivery: Delivery) -> None:
        stored = self.executions[key]
        deliveries = [delivery if each.delivery_id == delivery.delivery_id else each for each in stored.deliveries]
        self.executions[key] = replace(stored, deliveries=tuple(deliveries))


class FakeDeliveryQueue:
    """An `DeliveryQueue` by which nothing leaves at once; `begun` is all that it was handed."""

    def __init__(self) -> None:
        self.begun: list[Execution] = []

    def admit(self, executions: Sequence[Execution]) -> list[Execution]:
        """Has no room."""
        return list(executions)

    def begin(self, executions: Sequence[Execution]) -> None:
        """Keeps what it is handed."""
        self.begun += executions


class FakeReceivers:
    """`Receivers` that answer what they are told to, in turns; `sent` are the deliveries that they saw."""

    def __init__(self, *answers: Answer) -> None:
        self.sent: list[tuple[Action, Delivery]] = []
        self._answers = list(answers) or [Answer(Fate.ARRIVED, 200, "ok")]

    async def check(self, field: str, action: Action) -> list[str]:
        """Refuses hosts of this machine, and warns of those that nobody knows."""
        if "localhost" in action.endpoint:
            raise InvalidRule(f"{field}.url", "the host has a forbidden address")
        return [f"{field}: nobody knows the host"] if "nowhere" in action.endpoint else []

    async def send(self, action: Action, delivery: Delivery) -> Answer:
        """Answers."""
        self.sent.append((action, delivery))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class FakeModels:
    """`Models` with the built-in one."""

    async def in_force(self) -> Model:
        """Returns it."""
        return MODEL


class FakeInsights:
    """`Insights` that are the same for every lead, but for those that are unknown.

    They hold no more attributes than are needed. `asked` are the leads asked for, `needs` what was needed of them.
    """

    def __init__(self, insight: Insight = INSIGHT, unknown: Collection[str] = ()) -> None:
        self.asked: list[set[str]] = []
        self.needs: list[Need] = []
        self._insight = insight
        self._unknown = unknown

    async def of(self, lead_ids: Collection[str], need: Need) -> Mapping[str, Insight]:
        """Returns the insights into leads."""
        self.asked.append(set(lead_ids))
        self.needs.append(need)
        attributes = {
            name: value
            for name, value in self._insight.attributes.items()
            if need.attributes is None or name in need.attributes
        }
        insight = replace(self._insight, attributes=attributes)
        return {lead_id: insight for lead_id in lead_ids if lead_id not in self._unknown}


class AbsentInsights:
    """`Insights` that cannot be had."""

    async def of(self, lead_ids: Collection[str], need: Need) -> Mapping[str, Insight]:
        """Fails."""
        raise TimeoutError
