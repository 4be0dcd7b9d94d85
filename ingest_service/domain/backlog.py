"""When events are refused because scoring is behind, and the errors that callers then receive."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

RETRY_SECONDS = 2.0
"""Average delay in seconds after which a refused caller should retry."""
MIN_EVENTS = 500
"""A lead with fewer pending events is never refused for their age: so few events do not hold up a partition."""
LARGE_SHARE = 0.25
"""A lead with at least this share of a partition's pending events is considered to hold up the partition."""


def retry_seconds() -> float:
    """Returns a random delay in seconds, so that callers refused together do not retry together."""
    return RETRY_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 (not used for security)


class BacklogTooOld(Exception):
    """All partitions are behind, so no events are accepted until scoring catches up."""

    def __init__(self, age: timedelta, limit: timedelta) -> None:
        super().__init__(
            f"the oldest event has been waiting to be scored for {age.total_seconds():.0f} s (limit: "
            f"{limit.total_seconds():g} s): start scoring workers, and retry with the same event_id"
        )
        self.retry_seconds = retry_seconds()


class PartitionBehind(Exception):
    """The oldest pending event of the partition is too old, so the partition accepts no more events."""

    def __init__(self, partition: int, age: timedelta, limit: timedelta) -> None:
        super().__init__(
            f"events of partition {partition} have been waiting to be scored for {age.total_seconds():.0f} s (limit: "
            f"{limit.total_seconds():g} s): start scoring workers, and retry with the same event_id"
        )
        self.retry_seconds = retry_seconds()


class LeadBehind(Exception):
    """The lead has too many pending events, or they hold up their partition, so no more of its events are accepted."""

    def __init__(self, pending: int) -> None:
        super().__init__(
            f"too many events of this lead are waiting to be scored (at least {pending:,}): retry later with the same "
            "event_id, and give each person a lead_id of their own"
        )
        self.retry_seconds = retry_seconds()


RetryLater = PartitionBehind | LeadBehind
"""Why an event is refused for now. `retry_seconds` is the delay after which the caller should retry."""


class LeadBacklog(NamedTuple):
    """The pending events of a lead: how many were counted, and the age of the oldest."""

    events: int
    age: timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """The highest age of a pending event, and the highest number of pending events of one lead. Zero means no limit."""

    age: timedelta
    lead_events: int


@dataclass(frozen=True, slots=True)
class Refusals:
    """What is refused at the moment.

    `everything` is the age of the oldest pending event if all events are refused. `partitions` maps refused partitions
    to the age of their oldest pending event, `leads` maps refused leads to the number of their pending events.
    """

    everything: timedelta | None = None
    partitions: Mapping[int, timedelta] = field(default_factory=dict)
    leads: Mapping[str, int] = field(default_factory=dict)


def leads_to_refuse(backlogs: Mapping[str, LeadBacklog], total: int, limits: Limits) -> dict[str, int]:
    """Returns the leads of a partition to refuse, with the number of their pending events.

    A lead is refused if it has more pending events than the limit, or if the oldest of them is too old and they are a
    large share of the partition's `total` pending events.
    """
    return {
        lead_id: lead.events
        for lead_id, lead in backlogs.items()
        if (limits.lead_events and lead.events > limits.lead_events)
        or (limits.age and lead.age > limits.age and lead.events >= max(MIN_EVENTS, LARGE_SHARE * total))
    }
