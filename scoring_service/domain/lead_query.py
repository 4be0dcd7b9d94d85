"""A list of leads: which ones, in which order, from where on."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

ANY_SCORE = -(2**62)
"""Lower than every score."""


class LeadOrder(Enum):
    """The order of a list of leads; leads with equal keys are ordered by lead id."""

    SCORE = "score"
    LAST_EVENT_TIME = "last_event_time"
    LEAD_ID = "lead_id"


@dataclass(frozen=True, slots=True)
class LeadQuery:
    """The leads to list.

    `after` is the order key and the id of the last lead on the previous page; empty for the first page.
    """

    order: LeadOrder
    limit: int
    minimum_score: int = ANY_SCORE
    below_score: int | None = None
    active_since: datetime | None = None
    after: tuple[str | int | datetime, ...] = ()


class InactiveLead(NamedTuple):
    """A lead that has had no event for some time, with the sequence of its last entry."""

    lead_id: str
    score: int
    last_event_time: datetime
    sequence: int


@dataclass(frozen=True, slots=True)
class IdRange:
    """The ids of leads or events that come after `after`, up to and including `end`; without `end`, to the last one."""

    after: str = ""
    end: str | None = None
