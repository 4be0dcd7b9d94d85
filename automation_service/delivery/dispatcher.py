"""The delivery loop of a worker: it claims due deliveries and starts their attempts.

Guarantee: every due delivery is attempted at least once, even if workers are killed, because claims lapse. Within two
seconds of the beginning of a hold, no attempt begins any more.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from automation_service.delivery.attempt import DeliveryAttempt
from automation_service.delivery.endpoints import Endpoints
from automation_service.domain.delivery import ExecutionState, Fate
from automation_service.domain.execution import Execution
from automation_service.domain.rule import Rule
from automation_service.ports import Claim, Clock, Deliveries, Due, HoldSwitch
from shared import logs
from shared.tasks import is_cancelled
from shared.traces.current import within

CLAIM = timedelta(seconds=40)
"""How long a claim lasts. An attempt begins in the first half or not at all, and it takes less than half, its
book-keeping included. So a claim never lapses while a living worker uses it."""
GATHER_SECONDS = 0.008
"""Under load the loop pauses this long, so that attempts that end within the pause are replaced by one claim."""
POLL_SECONDS = 1.0
"""How often an idle worker looks for due deliveries, in seconds."""
MAX_CLAIMED = 32
"""Executions whose deliveries are claimed in one query."""

_LOG = logs.get(__name__)


class Dispatcher:
    """Implements `DeliveryQueue`: keeps as many attempts in flight as `Endpoints` allows. `run()` must be running."""

    def __init__(self, deliveries: Deliveries, switch: HoldSwitch, attempt: DeliveryAttempt, clock: Clock) -> None:
        self._deliveries = deliveries
        self._switch = switch
        self._is_on_hold = True  # until the switch has been read
        self._read_at = -math.inf
        self._attempt = attempt
        self._clock = clock
        self._endpoints = Endpoints()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._is_full = False
        self._surplus: list[Claim] = []

    def admit(self, executions: Sequence[Execution]) -> list[Execution]:
        """Returns the executions with deliveries claimed, as many as there is capacity for; see `DeliveryQueue`.

        It reserves nothing, so concurrent transactions can admit more than that. `begin` holds the surplus back.
        """
        if self._is_on_hold:
            return list(executions)
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
        """Starts the admitted deliveries, and wakes the loop for the others; see `DeliveryQueue`."""
        claims = [
            Claim(each.key.rule_id, delivery, each.traceparent) for each in executions for delivery in each.deliveries
        ]
        self._surplus += [claim for claim in claims if claim.delivery.lease]
        self._launch_surplus()
        if any(claim.delivery.state is ExecutionState.PENDING and not claim.delivery.lease for claim in claims):
            self._wake.set()

    async def run(self) -> None:
        """Delivers until it is cancelled, then waits for the attempts in flight."""
        try:
            while not is_cancelled():
                self._wake.clear()
                try:
                    await self._claim_all()
                except Exception as error:  # noqa: BLE001 (the claims lapse, and the deliveries are due again)
                    _LOG.warning("claim failed", error=logs.one_line(error))
                await self._sleep()
                if self._is_full:
                    await asyncio.sleep(GATHER_SECONDS)
        finally:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _claim_all(self) -> None:
        """Claims and starts deliveries until none are due, the capacity is used up, or a hold begins."""
        self._is_full = True
        while not await self.read_hold():
            self._launch_surplus()
            if (free := self._endpoints.free()) <= 0:
                return
            now, busy = self._clock(), self._endpoints.busy()
            due = await self._deliveries.due(now, busy, min(free, MAX_CLAIMED))
            if not due:
                self._is_full = bool(busy or self._surplus)
                return
            self._launch(await self._deliveries.claim(self._endpoints.admit(due), now, now + CLAIM))
        self._is_full = False

    async def read_hold(self) -> bool:
        """Returns whether deliveries are on hold, or were at most `POLL_SECONDS` ago.

        Until it is called for the first time, `admit` claims nothing.
        """
        now = time.monotonic()
        if now - self._read_at >= POLL_SECONDS:
            self._is_on_hold = await self._switch.read() is not None
            self._read_at = now
        return self._is_on_hold

    def _launch_surplus(self) -> None:
        """Starts the claims of the surplus that there is capacity for. Claims in their second half are dropped."""
        if self._is_on_hold:
            self._surplus = []  # these claims lapse
        latest = self._clock() + CLAIM / 2
        surplus = [claim for claim in self._surplus if claim.delivery.due_time > latest]
        due = [Due(claim.delivery.delivery_id, claim.delivery.endpoint) for claim in surplus]
        admitted = {each.delivery_id for each in self._endpoints.admit(due)}
        self._surplus = [claim for claim in surplus if claim.delivery.delivery_id not in admitted]
        self._launch([claim for claim in surplus if claim.delivery.delivery_id in admitted])

    def _launch(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._endpoints.begin(claim.delivery.endpoint)
        if claims:
            task = asyncio.create_task(self._deliver_all(claims))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _deliver_all(self, claims: Sequence[Claim]) -> None:
        try:
            rules = await self._attempt.rules_of(claims)
        except Exception as error:  # noqa: BLE001 (the claims lapse, and the deliveries are due again)
            _LOG.warning("deliveries abandoned", deliveries=len(claims), error=logs.one_line(error))
            for claim in claims:
                self._endpoints.end(claim.delivery.endpoint, failed=False)
            return
        await asyncio.gather(*(self._deliver(claim, rules.get(claim.rule_id)) for claim in claims))

    async def _deliver(self, claim: Claim, rule: Rule | None) -> None:
        answered = False

        def on_answer(fate: Fate) -> None:
            nonlocal answered
            answered = True
            self._endpoints.end(claim.delivery.endpoint, failed=fate in (Fate.RETRY, Fate.REFUSED))
            if self._is_full or self._surplus:
                self._wake.set()

        with within(claim.traceparent):
            try:
                await self._attempt.deliver(claim, rule, on_answer)
            except Exception as error:  # noqa: BLE001 (the claim lapses, and the delivery is due again)
                text = logs.one_line(error)
                _LOG.warning("delivery abandoned", delivery=claim.delivery.delivery_id, error=text)
            finally:
                if not answered:
                    on_answer(Fate.RETRY)


async def repair_due_times(deliveries: Deliveries, clock: Clock, *, every: float = 30.0) -> None:
    """Repairs due times after the clock was set back, every `every` seconds, until it is cancelled.

    A claim ends at most `CLAIM` from now, and a delivery that was never attempted is due at once. Later due times must
    come from a clock that was ahead. The limit is `2 * CLAIM`, because the clocks of workers differ a little and a
    delivery must not be attempted by two workers at once.
    """
    while not is_cancelled():
        try:
            now = clock()
            await deliveries.repair_due_times(now, now + 2 * CLAIM)
        except Exception as error:  # noqa: BLE001 (it tries again)
            _LOG.warning("repair of due times failed", error=logs.one_line(error))
        await asyncio.sleep(every)
