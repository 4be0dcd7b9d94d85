"""Hold deliveries, and release them."""

from dataclasses import dataclass
from datetime import datetime

from automation_service.domain.hold import Hold
from automation_service.ports import Clock, HoldSwitch
from shared import logs
from shared.deadlines import seconds_left

RESERVE_SECONDS = 5.0
"""The time that the last of the writes of a release may take, in seconds."""
_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Holding:
    """Holds deliveries back until someone has decided what becomes of them."""

    switch: HoldSwitch
    clock: Clock

    async def hold(self, reason: str, actor: str) -> Hold:
        """Keeps attempts from beginning, and returns the hold: the one in force, if there was one before.

        Workers read the switch every second.
        """
        hold = await self.switch.begin(Hold(self.clock(), reason, actor))
        _LOG.warning("deliveries held", since=hold.hold_time, reason=hold.reason, actor=hold.actor)
        return hold

    async def release(self, cancel_before: datetime | None, actor: str) -> tuple[int, bool]:
        """Ends the hold, after the pending deliveries of executions recorded before a time are cancelled.

        Returns the number of executions with cancelled deliveries, and whether the hold has ended. It has not if the
        call has no time left for more of them. Without a hold, nothing is cancelled.
        """
        cancelled = 0
        if await self.switch.read() is None:
            return cancelled, True
        while cancel_before and (count := await self.switch.cancel(cancel_before, self.clock())):
            cancelled += count
            if seconds_left() < RESERVE_SECONDS:
                return cancelled, False
        await self.switch.end()
        _LOG.warning("deliveries released", cancelled=cancelled, actor=actor)
        return cancelled, True
