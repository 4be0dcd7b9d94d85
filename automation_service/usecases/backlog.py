"""How much work is waiting."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from automation_service.domain.hold import Hold
from shared.inbox.breaker import StoppedDrain


@dataclass(frozen=True, slots=True)
class Backlog:
    """The work that is waiting, as in `automation.proto`. A time is None if nothing is waiting.

    `behind` lists the partitions that are behind, each with the time at which its oldest change was accepted, oldest
    first. `stopped` says why the drain has stopped, if it has; `hold` why nothing is delivered.
    """

    pending_changes: int
    oldest_change_time: datetime | None
    parked_changes: int
    due_deliveries: int
    oldest_due_time: datetime | None
    failed_executions: int
    behind: Sequence[tuple[int, datetime]]
    stopped: StoppedDrain | None
    hold: Hold | None
