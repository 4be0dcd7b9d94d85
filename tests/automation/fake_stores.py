"""Fakes of the stores. They pass the same contract suites as the MongoDB stores."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from automation_service.domain.delivery import NEVER, Delivery, ExecutionState
from automation_service.domain.execution import (
    Execution,
    ExecutionNotFound,
    Firing,
    Firings,
    Key,
)
from automation_service.domain.lead import Change, Row
from automation_service.domain.rule import Rule, RuleExists, RuleNotFound
from automation_service.domain.sealing import sealed
from automation_service.ports import Claim, Due, ExecutionQuery, PendingChanges, PendingRows, Settlement
from shared.rpc.pagination import Cursor
from shared.secrets import SecretKeys
from testkit.secret_keys import KEYS

T = TypeVar("T")


class FakeChanges:
    """`Changes` in memory; a transaction is one at a time, and does not roll back."""

    def __init__(self, *waiting: Change) -> None:
        self.waiting = list(waiting)

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body`."""
        return await body()

    async def pending(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> PendingRows:
        """Returns the oldest rows, whatever the partition; each has one change."""
        rows = PendingRows([each.row for each in self.waiting if ids is None or each.row.row_id in ids][:limit])
        rows.changes = len(rows)
        return rows

    async def read(self, rows: Sequence[Row]) -> PendingChanges:
        """Returns the changes in rows that nobody has marked."""
        found = [each for each in self.waiting if each.row in rows]
        return PendingChanges(sorted(found, key=lambda each: (each.lead_id, each.sequence)))

    async def still_pending(self, rows: Collection[Row]) -> set[Row]:
        """Returns those of the rows that nobody has marked."""
        return {each.row for each in self.waiting} & set(rows)

    async def lock(self, lead_ids: Collection[str]) -> None:
        """Does nothing: transactions are one at a time."""

    async def mark(self, rows: Collection[Row]) -> None:
        """Marks rows as done."""
        self.waiting = [each for each in self.waiting if each.row not in rows]

    async def skip(self, rows: Collection[Row]) -> None:
        """Marks rows as done."""
        await self.mark(rows)


class FakeRules:
    """`Rules` in memory, with encrypted secrets; what is cancelled is in `executions`."""

    def __init__(self, *rules: Rule, executions: "FakeExecutions | None" = None, keys: SecretKeys = KEYS) -> None:
        self._keys = keys
        self.rules = {each.draft.rule_id: self._sealed(each) for each in rules}
        self._executions = executions or FakeExecutions()

    async def create(self, rule: Rule) -> None:
        """Stores a new rule."""
        if rule.draft.rule_id in self.rules:
            raise RuleExists(rule.draft.rule_id)
        self.rules[rule.draft.rule_id] = self._sealed(rule)

    async def get(self, rule_id: str) -> Rule:
        """Returns a rule."""
        if rule_id not in self.rules:
            raise RuleNotFound(rule_id)
        return self.rules[rule_id]

    async def page(self, after: Cursor, limit: int) -> list[Rule]:
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
        self.rules[rule.draft.rule_id] = self._sealed(rule)
        if not rule.draft.enabled:
            self._cancel(rule.draft.rule_id)
        return True

    async def delete(self, rule_id: str) -> None:
        """Deletes a rule."""
        if self.rules.pop(rule_id, None) is None:
            raise RuleNotFound(rule_id)
        self._cancel(rule_id)

    def _sealed(self, rule: Rule) -> Rule:
        actions = tuple(sealed(rule.draft.rule_id, action, self._keys) for action in rule.draft.actions)
        return replace(rule, draft=replace(rule.draft, actions=actions))

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
            if all(part in ("", own) for part, own in zip(asked, each.key[:3], strict=True))
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
