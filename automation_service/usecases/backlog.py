"""Tell how much waits, and since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from automation_service.ports import Backlogs
from automation_service.usecases.rules import Clock
from shared.inbox.breaker import StoppedDrain

BEHIND = timedelta(seconds=30)
"""A partition in which a change has waited for longer is behind."""
MAX_PARTITIONS = 100
"""Partitions that are named."""
MAX_DUE_EXECUTIONS = 1_000
"""Executions of which due deliveries are counted: they must be read."""
MAX_FAILED_EXECUTIONS = 100_000
"""Failed executions that are counted: the index is enough."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits, as in `automation.proto`; a time is None when nothing waits.

    `behind` are the partitions that are behind and when the oldest change in each was accepted, the oldest first.
    `stopped` is why no changes are evaluated at the moment, if none are.
    """

    pending_changes: int
    oldest_change_time: datetime | None
    parked_changes: int
    due_deliveries: int
    oldest_due_time: datetime | None
    failed_executions: int
    behind: Sequence[tuple[int, datetime]]
    stopped: StoppedDrain | None


@dataclass(frozen=True, slots=True)
class BacklogReport:
    """Asks what waits."""

    backlogs: Backlogs
    clock: Clock

    async def now(self) -> Backlog:
        """Returns what waits now. What comes while it is asked may be in one number and not in another."""
        now = self.clock()
        pending = await self.backlogs.pending_changes()
        oldest = sorted((await self.backlogs.oldest_changes()).items(), key=lambda each: (each[1], each[0]))
        due = await self.backlogs.due_deliveries(now, MAX_DUE_EXECUTIONS)
        return Backlog(
            pending_changes=pending,
            oldest_change_time=oldest[0][1] if oldest else None,
            parked_changes=await self.backlogs.parked_changes(),
            due_deliveries=due.count,
            oldest_due_time=due.oldest,
            failed_executions=await self.backlogs.failed_executions(MAX_FAILED_EXECUTIONS),
            behind=[each for each in oldest if now - each[1] > BEHIND][:MAX_PARTITIONS],
            stopped=await self.backlogs.stopped(),
        )
