"""How far scoring may lag behind what is taken in, and who is refused when it does."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

RETRY_SECONDS = 2.0
"""When refused callers shall come back, on average."""
MIN_EVENTS = 500
"""A lead with fewer events that wait is never refused: what keeps a few events waiting is not their number."""
LARGE_SHARE = 0.25
"""Of the events that wait in a partition: a lead with as many holds it up."""


def retry_seconds() -> float:
    """Returns when a caller shall come back; those who are refused together shall not come back together."""
    return RETRY_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 (it spreads, and guards nothing)


class BacklogTooOld(Exception):
    """Events of every partition have waited too long to be scored, so none are taken until scoring has caught up."""

    def __init__(self, age: timedelta, limit: timedelta) -> None:
        super().__init__(
            f"the oldest event has waited to be scored for {age.total_seconds():.0f} s, more than "
            f"{limit.total_seconds():g} s: start scoring workers, and send this again with the same event_id"
        )
        self.retry_seconds = retry_seconds()


class PartitionBehind(Exception):
    """Events of a partition have waited too long to be scored, so no more of it are taken."""

    def __init__(self, partition: int, age: timedelta, limit: timedelta) -> None:
        super().__init__(
            f"events of partition {partition} have waited to be scored for {age.total_seconds():.0f} s, more than "
            f"{limit.total_seconds():g} s: start scoring workers, and send this again with the same event_id"
        )
        self.retry_seconds = retry_seconds()


class LeadBehind(Exception):
    """Too many events of a lead wait to be scored, or they hold their partition up, so no more of it are taken."""

    def __init__(self, waiting: int) -> None:
        super().__init__(
            f"{waiting:,} events or more of this lead wait to be scored: send this again later with the same event_id, "
            "and give each person a lead_id of their own"
        )
        self.retry_seconds = retry_seconds()


Behind = PartitionBehind | LeadBehind
"""Why an event is not taken at the moment. `retry_seconds` is when the caller shall come back."""


class LeadWaiting(NamedTuple):
    """Events of one lead that wait: how many of them were counted, and how long the oldest has waited."""

    events: int
    age: timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much: `age` of an event that waits, and events of one `lead` that wait. Zero is no limit."""

    age: timedelta
    lead_events: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is refused at the moment: everything, partitions, and leads. Numbers and ages are what was found."""

    everything: timedelta | None = None
    partitions: Mapping[int, timedelta] = field(default_factory=dict)
    leads: Mapping[str, int] = field(default_factory=dict)


def heavy_leads(waiting: Mapping[str, LeadWaiting], total: int, limits: Limits) -> dict[str, int]:
    """Returns the leads of a partition that are to be refused, and how many events of each wait.

    `total` is how many events of the partition were counted. A lead is refused when more of its events wait than the
    limit, or when they have waited too long and are a large share of the partition's.
    """
    return {
        lead_id: lead.events
        for lead_id, lead in waiting.items()
        if (limits.lead_events and lead.events > limits.lead_events)
        or (limits.age and lead.age > limits.age and lead.events >= max(MIN_EVENTS, LARGE_SHARE * total))
    }
