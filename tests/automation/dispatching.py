"""A dispatcher on fakes, for tests."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from automation_service.delivery.attempt import MAX_SETTLED, DeliveryAttempt
from automation_service.delivery.dispatcher import Dispatcher
from automation_service.domain.action import Action
from automation_service.domain.delivery import (
    Answer,
    Delivery,
    Fate,
    Schedule,
)
from automation_service.domain.execution import Execution
from automation_service.ports import Receivers
from shared.group_commit import GroupCommit
from testkit.secret_keys import KEYS
from testkit.waiting import eventually
from tests.automation.fake_stores import FakeExecutions, FakeRules
from tests.automation.fakes import NOW, FakeHold, rule, webhook

SCHEDULE = Schedule([timedelta(seconds=seconds) for seconds in (5, 300)])
LATER = Answer(Fate.RETRY, 503, "later")
GONE = Answer(Fate.GONE, 410)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """Returns its time."""
        return self.now


class Dispatching:
    """A dispatcher over fakes."""

    def __init__(self, receivers: Receivers, *executions: Execution, rules: FakeRules | None = None) -> None:
        self.executions = FakeExecutions(*executions)
        self.rules = rules or FakeRules(rule("call", None, webhook()))
        self.clock = Clock()
        self.switch = FakeHold()
        self.dispatcher = Dispatcher(
            self.executions,
            self.switch,
            DeliveryAttempt(
                GroupCommit(self.executions.settle, limit=MAX_SETTLED, seconds=60),
                self.rules,
                receivers,
                KEYS,
                SCHEDULE,
                self.clock,
            ),
            self.clock,
        )

    def delivery(self) -> Delivery:
        """Returns the only delivery."""
        [found] = (each.deliveries[0] for each in self.executions.executions.values())
        return found

    async def take(self, executions: Sequence[Execution]) -> list[Execution]:
        """Does what a drain does with new executions; returns them as they were recorded."""
        await self.dispatcher.read_hold()
        recorded = self.dispatcher.admit(executions)
        await self.executions.record(recorded)
        self.dispatcher.begin(recorded)
        return recorded

    async def settles(self, tries: int) -> None:
        """Waits until so many attempts are stored."""

        async def made() -> bool:
            return len(self.delivery().attempts) >= tries

        await eventually(made, what=f"{tries} attempts are stored")


class UnresponsiveReceivers:
    """`Receivers` of which one answers, and the others never do; `begun` counts attempts by endpoint."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.free = asyncio.Event()

    async def check(self, field: str, action: Action) -> list[str]:
        """Knows nothing."""
        return []

    async def send(self, action: Action, delivery: Delivery) -> Answer:
        """Answers, or not."""
        self.begun[delivery.endpoint] = self.begun.get(delivery.endpoint, 0) + 1
        if "dead" in delivery.endpoint:
            await self.free.wait()
            return LATER
        return Answer(Fate.ARRIVED, 200)
