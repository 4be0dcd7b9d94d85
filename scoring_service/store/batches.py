"""What one transaction reads from the inbox, and what it appends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scoring_service.domain.lead import LeadUpdate
from scoring_service.domain.model import Event


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Pending events and their inbox rows by lead, and the partition of each lead.

    The events of a lead are all historical, or all live. `is_full` says that the read stopped at a limit, so more
    events may be pending.
    """

    events: Mapping[str, Sequence[Event]]
    partitions: Mapping[str, int]
    rows: Mapping[str, Sequence[Any]]
    is_full: bool

    @property
    def count(self) -> int:
        """The number of events."""
        return sum(map(len, self.events.values()))


@dataclass(frozen=True, slots=True)
class AppendBatch:
    """What one transaction appends to the histories of some leads, and the inbox rows of the events that it scores.

    `date_bucket` is the date of `record_time` in the calendar of the database, as YYYY-MM-DD.
    """

    updates: Sequence[LeadUpdate]
    record_time: datetime
    date_bucket: str
    rows: Sequence[Any] = ()
