"""The loop that delivers: claims what is due, makes one attempt at a time for each, and stores what became of it.

Guarantee: what is due is attempted, at least once, whatever process is killed whenever: a claim lapses. An endpoint
that is slow or dead takes its own share of the attempts in flight, and a small one at that.
"""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from automation_service.domain.action import Action
from automation_service.domain.delivery import Answer, Delivery, ExecutionState, Fate
from automation_service.domain.execution import Execution
from automation_service.domain.rule import Rule
from automation_service.ports import Claim, Deliveries, Due, Receivers, Rules, Settlement
from shared import logs
from shared.group_commit import GroupCommit
from shared.tasks import is_cancelled

ATTEMPT_SECONDS = 15.0
"""Longest time for an attempt."""
CLAIM = timedelta(seconds=40)
"""A claim lapses after this time. Half of it is longer than an attempt and its book-keeping; an attempt begins in the
first half or not at all. So no living worker loses one."""
GATHER_SECONDS = 0.008
"""Under load, attempts that end within this span make room together, and what follows is claimed together."""
POLL_SECONDS = 0.5
"""How often an idle worker looks for what has become due."""
IN_FLIGHT = 128
"""Attempts that a worker makes at a time."""
PER_ENDPOINT = 12
"""Of those, at one endpoint that answers."""
MAX_TOGETHER = 32
"""Executions that are looked at together."""
PER_FAILING_ENDPOINT = 2
"""Of those, at one endpoint whose last attempt failed."""
MAX_SETTLED = 128
"""Attempts whose results are stored together, at most."""
SETTLE_SECONDS = 5.0
"""Longest time to store them."""
MAX_ENDPOINTS = 10_000
"""Endpoints whose failing is remembered."""
JITTER = 0.1
"""A wait is longer or shorter by up to this share, so that what failed together does not come back together."""

_LOG = logs.get(__name__)


class Endpoints:
    """How many attempts are in flight, by endpoint, and which endpoints fail."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()
        self._failing: dict[str, None] = {}

    def begin(self, endpoint: str) -> None:
        """Counts an attempt in."""
        self._in_flight[endpoint] += 1

    def end(self, endpoint: str, *, failed: bool) -> None:
        """Counts an attempt out."""
        self._in_flight[endpoint] -= 1
        self._in_flight += Counter()  # drops what has come to zero
        self._failing.pop(endpoint, None)
        if failed:
            self._failing[endpoint] = None
            if len(self._failing) > MAX_ENDPOINTS:
                del self._failing[next(iter(self._failing))]

    def room(self) -> int:
        """Returns how many attempts may begin."""
        return IN_FLIGHT - self._in_flight.total()

    def busy(self) -> list[str]:
        """Returns the endpoints that have their share."""
        return [endpoint for endpoint, count in self._in_flight.items() if count >= self._share(endpoint)]

    def admit(self, due: Iterable[Due]) -> list[Due]:
        """Returns those for which there is room, the first ones first."""
        admitted: list[Due] = []
        begun = self._in_flight.copy()
        for each in due:
            if begun.total() < IN_FLIGHT and begun[each.endpoint] < self._share(each.endpoint):
                begun[each.endpoint] += 1
                admitted.append(each)
        return admitted

    def _share(self, endpoint: str) -> int:
        return PER_FAILING_ENDPOINT if endpoint in self._failing else PER_ENDPOINT


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """Makes one attempt at a claimed delivery and stores what became of it."""

    settling: GroupCommit[Settlement, None]
    rules: Rules
    receivers: Receivers
    schedule: Sequence[timedelta]
    clock: Callable[[], datetime]

    async def rules_of(self, claims: Iterable[Claim]) -> dict[str, Rule]:
        """Returns the enabled rules of claimed deliveries by their id, as they are now."""
        enabled = await self.rules.enabled({claim.rule_id for claim in claims})
        return {rule.draft.rule_id: rule for rule in enabled}

    async def deliver(self, claim: Claim, rule: Rule | None, on_answer: Callable[[Fate], None]) -> None:
        """Delivers, to where the rule says now: a corrected URL or a new secret takes effect at once.

        Without an enabled rule, or without its action, the delivery is cancelled. `on_answer` is called before what
        became of it is stored: the receiver has no more part in that.
        """
        delivery = claim.delivery
        action = rule.draft.action(delivery.action_id) if rule else None
        if rule is None or action is None or action.kind != delivery.receiver:
            on_answer(Fate.FINAL)
            await self.settling.add(Settlement(claim, delivery.cancelled()))
            return
        began = self.clock()
        answer = await self._attempt(action, delivery)
        on_answer(answer.fate)
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (no secret)
        settled = delivery.settled(answer, began, self.clock() - began, self.schedule, jitter)
        await self.settling.add(Settlement(claim, settled))
        _LOG.info(
            "delivery",
            delivery=delivery.delivery_id,
            endpoint=action.endpoint,
            fate=answer.fate.value,
            status=answer.status,
            error=answer.error,
            tries=settled.tries,
            ms=round((self.clock() - began) / timedelta(milliseconds=1), 2),
        )
        if answer.fate is Fate.GONE:
            await self._disable(rule, f"{action.endpoint} answered {answer.status}")

    async def _attempt(self, action: Action, delivery: Delivery) -> Answer:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self.receivers.send(action, delivery)
        except TimeoutError:
            return Answer(Fate.RETRY, error=f"no answer within {ATTEMPT_SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 (an attempt that is not counted is repeated for ever)
            text = logs.one_line(error)
            _LOG.warning("attempt failed", delivery=delivery.delivery_id, error=text)
            return Answer(Fate.RETRY, error=text)

    async def _disable(self, rule: Rule, reason: str) -> None:
        disabled = replace(
            rule,
            draft=replace(rule.draft, enabled=False),
            revision=rule.revision + 1,
            update_time=self.clock(),
            disable_reason=reason,
        )
        # Whoever has changed it meanwhile knows better, and is told by the next 410.
        if await self.rules.replace(disabled, rule.revision):
            _LOG.warning("rule disabled", rule=rule.draft.rule_id, reason=reason)


class Dispatcher:
    """Keeps couriers busy; `run()` must be running."""

    def __init__(
        self, deliveries: Deliveries, attempt_delivery: DeliveryAttempt, clock: Callable[[], datetime]
    ) -> None:
        self._deliveries = deliveries
        self._delivery = attempt_delivery
        self._clock = clock
        self._endpoints = Endpoints()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._is_held_up = False
        self._held: list[Claim] = []

    def admit(self, executions: Sequence[Execution]) -> list[Execution]:
        """Returns executions with those deliveries claimed for which there is room; see `DeliveryQueue`.

        It only looks: what several transactions admit at the same time may be more than there is room for. `begin`
        holds the rest until there is.
        """
        now = self._clock()
        due = [
            Due(delivery.delivery_id, delivery.endpoint)
            for each in executions
            for delivery in each.deliveries
            if delivery.due_time <= now
        ]
        admitted = {each.delivery_id for each in self._endpoints.admit(due)}
        lease, until = secrets.token_hex(8), now + CLAIM
        return [
            replace(
                each,
                deliveries=tuple(
                    delivery.claimed(lease, until) if delivery.delivery_id in admitted else delivery
                    for delivery in each.deliveries
                ),
            )
            for each in executions
        ]

    def begin(self, executions: Sequence[Execution]) -> None:
        """Makes attempts at what was admitted, and looks for the rest; see `DeliveryQueue`."""
        deliveries = [(each.key.rule_id, delivery) for each in executions for delivery in each.deliveries]
        self._held += [Claim(rule_id, delivery) for rule_id, delivery in deliveries if delivery.lease]
        self._launch_held()
        if any(delivery.state is ExecutionState.PENDING and not delivery.lease for _, delivery in deliveries):
            self._wake.set()

    async def run(self) -> None:
        """Delivers until it is cancelled. When it is cancelled, it finishes the attempts that it has begun."""
        try:
            while not is_cancelled():
                self._wake.clear()
                try:
                    await self._claim_all()
                except Exception as error:  # noqa: BLE001 (what was claimed is due again when the claim lapses)
                    _LOG.warning("claim failed", error=logs.one_line(error))
                await self._rest()
                if self._is_held_up:
                    await asyncio.sleep(GATHER_SECONDS)
        finally:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _claim_all(self) -> None:
        """Begins attempts until nothing more is due, or nothing more may begin."""
        self._is_held_up = True
        self._launch_held()
        while (room := self._endpoints.room()) > 0:
            now, busy = self._clock(), self._endpoints.busy()
            due = await self._deliveries.due(now, busy, min(room, MAX_TOGETHER))
            if not due:
                self._is_held_up = bool(busy or self._held)
                return
            self._launch(await self._deliveries.claim(self._endpoints.admit(due), now, now + CLAIM))

    def _launch_held(self) -> None:
        """Launches those claims that are held for which there is room by now; one that would lapse is dropped."""
        latest = self._clock() + CLAIM / 2
        held = [claim for claim in self._held if claim.delivery.due_time > latest]
        due = [Due(claim.delivery.delivery_id, claim.delivery.endpoint) for claim in held]
        admitted = {each.delivery_id for each in self._endpoints.admit(due)}
        self._held = [claim for claim in held if claim.delivery.delivery_id not in admitted]
        self._launch([claim for claim in held if claim.delivery.delivery_id in admitted])

    def _launch(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._endpoints.begin(claim.delivery.endpoint)
        if claims:
            task = asyncio.create_task(self._deliver_all(claims))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _deliver_all(self, claims: Sequence[Claim]) -> None:
        try:
            rules = await self._delivery.rules_of(claims)
        except Exception as error:  # noqa: BLE001 (the claims lapse, and the deliveries are due again)
            _LOG.warning("deliveries given up", deliveries=len(claims), error=logs.one_line(error))
            for claim in claims:
                self._endpoints.end(claim.delivery.endpoint, failed=False)
            return
        await asyncio.gather(*(self._deliver(claim, rules.get(claim.rule_id)) for claim in claims))

    async def _deliver(self, claim: Claim, rule: Rule | None) -> None:
        answered = False

        def on_answer(fate: Fate) -> None:
            nonlocal answered
            answered = True
            self._endpoints.end(claim.delivery.endpoint, failed=fate is Fate.RETRY)
            if self._is_held_up or self._held:
                self._wake.set()

        try:
            await self._delivery.deliver(claim, rule, on_answer)
        except Exception as error:  # noqa: BLE001 (the claim lapses, and the delivery is due again)
            text = logs.one_line(error)
            _LOG.warning("delivery given up", delivery=claim.delivery.delivery_id, error=text)
        finally:
            if not answered:
                on_answer(Fate.RETRY)


async def repair_due_times(deliveries: Deliveries, clock: Callable[[], datetime], *, every: float = 30.0) -> None:
    """Makes due, until it is cancelled, what waits only because the clock was set back; looks every `every` seconds.

    No claim reaches further ahead than `CLAIM`, and what was never attempted is due at once. The bound is twice that:
    clocks of machines differ a little, and an attempt that another one makes shall not be made a second time.
    """
    while not is_cancelled():
        try:
            now = clock()
            await deliveries.repair_due_times(now, now + 2 * CLAIM)
        except Exception as error:  # noqa: BLE001 (it looks again)
            _LOG.warning("hasten failed", error=logs.one_line(error))
        await asyncio.sleep(every)
