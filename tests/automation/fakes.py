"""What the use cases see of the world, in memory."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from automation_service.domain.execution import Candidate, Change, Execution, Insight, Key, execution
from automation_service.domain.rule import Conditions, Draft, Risk, Rule, RuleExists, RuleNotFound
from automation_service.ports import ExecutionQuery
from shared.pages import Place

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INSIGHT = Insight(velocity=9, risk=Risk.LOW, next_action="prioritize_contact")
T = TypeVar("T")


def draft(rule_id: str = "call", conditions: Conditions | None = None, *, enabled: bool = True) -> Draft:
    """Returns what a caller says of a rule; it asks for a hot lead unless told otherwise."""
    return Draft(rule_id, rule_id.title(), enabled, conditions or Conditions(stages=("hot",)))


def rule(rule_id: str = "call", conditions: Conditions | None = None, *, enabled: bool = True) -> Rule:
    """Returns a stored rule."""
    return Rule(draft(rule_id, conditions, enabled=enabled), 1, NOW, NOW)


def change(lead_id: str = "ada", sequence: int = 1, score: int = 40, stage: str = "hot", day: int = 1) -> Change:
    """Returns a change that left a lead with a score in a stage."""
    return Change(
        change_id=f"{lead_id}:{sequence}",
        lead_id=lead_id,
        sequence=sequence,
        score_before=0,
        score_after=score,
        stage_before="cold",
        stage_after=stage,
        event_types=("page_view",),
        date_bucket=f"2026-03-{day:02}",
    )


def executed(change_: Change, rule_: Rule, record_time: datetime = NOW) -> Execution:
    """Returns the execution that a rule leaves on a change."""
    return execution(Candidate(change_, rule_), INSIGHT, record_time)


class FakeChanges:
    """`Changes` in memory; a transaction is one at a time, and does not roll back."""

    def __init__(self, *waiting: Change) -> None:
        self.waiting = list(waiting)

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body`."""
        return await body()

    async def pending(self, partitions: Sequence[int], most: int) -> list[Change]:
        """Returns the oldest changes, whatever the partition."""
        return sorted(self.waiting[:most], key=lambda each: (each.lead_id, each.sequence))

    async def still_pending(self, changes: Sequence[Change]) -> list[Change]:
        """Returns those of the changes that nobody has marked."""
        return [each for each in changes if each in self.waiting]

    async def mark(self, changes: Sequence[Change]) -> None:
        """Marks changes as done."""
        self.waiting = [each for each in self.waiting if each not in changes]


class FakeRules:
    """`Rules` in memory."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = {each.draft.rule_id: each for each in rules}

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

    async def page(self, after: Place, most: int) -> list[Rule]:
        """Returns the rules whose ids follow another one."""
        return [self.rules[rule_id] for rule_id in sorted(self.rules) if (rule_id,) > after][:most]

    async def enabled(self) -> list[Rule]:
        """Returns all enabled rules."""
        return [each for each in self.rules.values() if each.draft.enabled]

    async def replace(self, rule: Rule, revision: int) -> bool:
        """Stores a rule in the place of the one with this revision."""
        stored = self.rules.get(rule.draft.rule_id)
        if stored is None or stored.revision != revision:
            return False
        self.rules[rule.draft.rule_id] = replace(rule)
        return True

    async def delete(self, rule_id: str) -> None:
        """Deletes a rule."""
        if self.rules.pop(rule_id, None) is None:
            raise RuleNotFound(rule_id)


class FakeExecutions:
    """`Executions` in memory."""

    def __init__(self) -> None:
        self.executions: dict[Key, Execution] = {}

    async def recorded(self, keys: Collection[Key]) -> set[Key]:
        """Returns those of the keys under which an execution is recorded."""
        return set(keys) & set(self.executions)

    async def record(self, executions: Sequence[Execution]) -> None:
        """Stores executions."""
        for each in executions:
            assert each.key not in self.executions
            self.executions[each.key] = each

    async def page(self, query: ExecutionQuery) -> list[Execution]:
        """Returns executions, latest first."""
        asked = (query.lead_id, query.rule_id, query.date_bucket)
        matching = [
            each
            for each in self.executions.values()
            if all(part in ("", own) for part, own in zip(asked, each.key, strict=True))
            and (not query.after or (each.record_time, each.execution_id) < query.after)
        ]
        return sorted(matching, key=lambda each: (each.record_time, each.execution_id), reverse=True)[: query.most]


class FakeStages:
    """`Stages` of the built-in model."""

    async def names(self) -> Sequence[str]:
        """Returns their names."""
        return ["cold", "warm", "hot", "qualified"]


class FakeInsights:
    """`Insights` that are the same for every lead, but for those that are unknown; `asked` are the leads asked for."""

    def __init__(self, insight: Insight = INSIGHT, unknown: Collection[str] = ()) -> None:
        self.asked: list[set[str]] = []
        self._insight = insight
        self._unknown = unknown

    async def of(self, lead_ids: Collection[str]) -> Mapping[str, Insight]:
        """Returns the insights into leads."""
        self.asked.append(set(lead_ids))
        return {lead_id: self._insight for lead_id in lead_ids if lead_id not in self._unknown}


class AbsentInsights:
    """`Insights` that cannot be had."""

    async def of(self, lead_ids: Collection[str]) -> Mapping[str, Insight]:
        """Fails."""
        raise TimeoutError
