"""One attempt at a claimed delivery: read the rule, send, store the result."""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from automation_service import metrics
from automation_service.domain.action import Action
from automation_service.domain.delivery import Answer, Delivery, ExecutionState, Fate, Schedule
from automation_service.domain.redaction import redacted
from automation_service.domain.rule import Rule
from automation_service.domain.sealing import opened
from automation_service.ports import Claim, Clock, Receivers, Rules, Settlement
from shared import logs
from shared.group_commit import GroupCommit
from shared.secrets import SecretKeys, SecretUnreadable
from shared.traces import spans
from shared.traces.current import recorded
from shared.traces.spans import ERROR, Attributes, Kind

ATTEMPT_SECONDS = 15.0
"""Longest time for an attempt, in seconds."""
MAX_SETTLED = 128
"""Attempts whose results are stored in one write."""
SETTLE_SECONDS = 5.0
"""Longest time for that write, in seconds."""
JITTER = 0.1
"""Each wait is up to this fraction shorter or longer, so that deliveries that failed together are not retried together.
"""

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """Makes attempts at claimed deliveries."""

    settling: GroupCommit[Settlement, None]
    rules: Rules
    receivers: Receivers
    keys: SecretKeys
    schedule: Schedule
    clock: Clock

    async def rules_of(self, claims: Iterable[Claim]) -> dict[str, Rule]:
        """Returns the current rules of the claims by id, without disabled and deleted ones."""
        enabled = await self.rules.enabled({claim.rule_id for claim in claims})
        return {rule.draft.rule_id: rule for rule in enabled}

    async def deliver(self, claim: Claim, rule: Rule | None, on_answer: Callable[[Fate], None]) -> None:
        """Makes one attempt and stores the result.

        It uses the current URL and secrets of the rule, so corrections take effect at once. If the rule is not enabled
        or no longer has the action, the delivery is cancelled. `on_answer` is called before the result is stored,
        because the endpoint is free from then on.
        """
        delivery = claim.delivery
        action = rule.draft.action(delivery.action_id) if rule else None
        if rule is None or action is None or action.kind != delivery.receiver:
            on_answer(Fate.FINAL)
            await self.settling.add(Settlement(claim, delivery.cancelled()))
            metrics.DELIVERIES.labels(delivery.receiver, "cancelled").inc()
            return
        began = self.clock()
        answer = await self._traced(rule, action, delivery)
        on_answer(answer.fate)
        settled = self._settled(delivery, answer, began)
        await self.settling.add(Settlement(claim, settled))
        self._report(settled, action, answer, began)
        if answer.fate is Fate.GONE:
            await self._disable(rule, f"{action.endpoint} answered {answer.status}")

    async def _traced(self, rule: Rule, action: Action, delivery: Delivery) -> Answer:
        """Makes the attempt, as a span of the trace of its execution."""
        about: Attributes = {"leadscore.delivery.id": delivery.delivery_id}
        with spans.working(f"deliver {action.kind}", recorded(), about, kind=Kind.CLIENT):
            answer = await self._attempt(rule, action, delivery)
            about |= {"leadscore.delivery.fate": answer.fate.value, "leadscore.delivery.status": answer.status}
            about["leadscore.delivery.endpoint"] = action.endpoint
            if answer.fate is not Fate.ARRIVED:
                about[ERROR] = str(answer.status or answer.fate.value)
        return answer

    async def _attempt(self, rule: Rule, action: Action, delivery: Delivery) -> Answer:
        try:
            return await self._send(opened(rule.draft.rule_id, action, self.keys), delivery)
        except SecretUnreadable as error:
            return Answer(Fate.UNSENT, error=str(error))

    async def _send(self, action: Action, delivery: Delivery) -> Answer:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self.receivers.send(action, delivery)
        except TimeoutError:
            return Answer(Fate.RETRY, error=f"no answer within {ATTEMPT_SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 (an attempt that is not counted would be repeated forever)
            text = logs.cut(redacted(repr(error), action.receiver))
            _LOG.warning("attempt failed", delivery=delivery.delivery_id, error=text)
            return Answer(Fate.RETRY, error=text)

    def _settled(self, delivery: Delivery, answer: Answer, began: datetime) -> Delivery:
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (not a secret)
        return delivery.settled(answer, began, self.clock() - began, self.schedule, jitter)

    def _report(self, settled: Delivery, action: Action, answer: Answer, began: datetime) -> None:
        """Counts and logs an attempt whose result is stored."""
        seconds = (self.clock() - began).total_seconds()
        metrics.ATTEMPTS.labels(settled.receiver, answer.fate.value).observe(max(0.0, seconds))
        if settled.state is not ExecutionState.PENDING:
            metrics.DELIVERIES.labels(settled.receiver, settled.state.value).inc()
        _LOG.info(
            "delivery",
            delivery=settled.delivery_id,
            endpoint=action.endpoint,
            fate=answer.fate.value,
            status=answer.status,
            error=answer.error,
            tries=settled.tries,
            ms=round(seconds * 1000, 2),
        )

    async def _disable(self, rule: Rule, reason: str) -> None:
        disabled = replace(
            rule,
            draft=replace(rule.draft, enabled=False),
            revision=rule.revision + 1,
            update_time=self.clock(),
            disable_reason=reason,
        )
        # If someone has changed the rule meanwhile, their version stays; the next 410 disables it.
        if await self.rules.replace(disabled, rule.revision):
            _LOG.warning("rule disabled", rule=rule.draft.rule_id, reason=reason)
