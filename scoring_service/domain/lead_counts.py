"""Counts of all leads, in groups."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

_MILLISECOND = timedelta(milliseconds=1)


class LeadGroup(NamedTuple):
    """Leads with scores in one range, with the same number of recent events, and either all idle or none."""

    minimum_score: int
    recent_events: int
    is_idle: bool


class ActiveLead(NamedTuple):
    """A lead whose last event is recent or lies in the future."""

    lead_id: str
    score: int
    last_event_time: datetime


@dataclass(frozen=True, slots=True)
class CountQuery:
    """How to group leads.

    `minimum_scores` ascend; each begins a range of scores, and the first range includes all lower scores. An event is
    recent for the time `recent`. A lead is idle if its last event is more than `idle` ago, or if it has none.
    """

    minimum_scores: Sequence[int]
    recent: timedelta
    idle: timedelta

    def recent_after(self, as_of: datetime) -> datetime:
        """Returns the time after which events are recent."""
        return as_of - self.recent

    def idle_before(self, as_of: datetime) -> datetime:
        """Returns the time before which the last event of an idle lead is; all times are whole milliseconds."""
        return as_of - self.idle // _MILLISECOND * _MILLISECOND

    def range_of(self, score: int) -> int:
        """Returns the minimum score of the range that a score falls in."""
        return self.minimum_scores[max(0, bisect_right(self.minimum_scores, score) - 1)]

    def group_of(self, lead: ActiveLead, recent_events: int, as_of: datetime) -> LeadGroup:
        """Returns the group of an active lead."""
        return LeadGroup(self.range_of(lead.score), recent_events, lead.last_event_time < self.idle_before(as_of))


def idle_leads(all_leads: Mapping[int, int], others: Mapping[LeadGroup, int]) -> Counter[LeadGroup]:
    """Returns the groups of the leads that are in none of the `others`: they are idle and have no recent events.

    `all_leads` has the number of all leads per minimum score.
    """
    left = Counter(all_leads)
    for group, count in others.items():
        left[group.minimum_score] -= count
    return Counter({LeadGroup(minimum_score, 0, True): count for minimum_score, count in left.items() if count})
