"""Counts of all leads, in groups."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from scoring_service.domain.lead_query import ANY_SCORE

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


class ScoreRange(NamedTuple):
    """Scores from `low` to below `high`; None means that there is no upper limit."""

    low: int
    high: int | None


class Period(NamedTuple):
    """Leads whose last event happened in (after, until].

    They are all idle or none is, and their last event is recent for all or for none.
    """

    after: datetime
    until: datetime
    is_recent: bool
    is_idle: bool


@dataclass(frozen=True, slots=True)
class CountQuery:
    """How to group leads.

    `minimum_scores` ascend; each begins a range of scores, and the first range includes all lower scores. An event is
    recent for the time `recent`. A lead is idle if its last event is more than `idle` ago, or if it has none.
    `max_recent_events` has one number per range: larger numbers of recent events count as this one.
    """

    minimum_scores: Sequence[int]
    recent: timedelta
    idle: timedelta
    max_recent_events: Sequence[int]

    def recent_after(self, as_of: datetime) -> datetime:
        """Returns the time after which events are recent."""
        return as_of - self.recent

    def idle_until(self, as_of: datetime) -> datetime:
        """Returns the latest time that the last event of an idle lead can have; all times are whole milliseconds."""
        return as_of - self.idle // _MILLISECOND * _MILLISECOND - _MILLISECOND

    def ranges(self) -> list[ScoreRange]:
        """Returns the ranges of scores, each up to the next one."""
        following = self.minimum_scores[1:]
        return [ScoreRange(*each) for each in zip((ANY_SCORE, *following), (*following, None), strict=True)]

    def spans(self) -> Iterator[tuple[ScoreRange, bool]]:
        """Yields the ranges, neighbours joined, and whether it matters in them if a lead has one recent event or more.

        If it does not, the time of its last event says all that matters.
        """
        for exact, ranges in groupby(zip(self.ranges(), self.max_recent_events, strict=True), lambda each: each[1] > 1):
            joined = [each for each, _ in ranges]
            yield ScoreRange(joined[0].low, joined[-1].high), exact

    def periods(self, as_of: datetime) -> list[Period]:
        """Returns the periods up to `as_of`. Leads whose last event was before them are idle, without recent events."""
        recent_after, idle_until = self.recent_after(as_of), self.idle_until(as_of)
        times = [*sorted((recent_after, idle_until)), as_of]
        return [Period(after, until, after >= recent_after, after < idle_until) for after, until in pairwise(times)]

    def is_exact(self, score: int) -> bool:
        """Returns whether the number of recent events of a lead with this score must be counted."""
        return self.max_recent_events[self._range_of(score)] > 1

    def group_of(self, score: int, recent_events: int, *, is_idle: bool) -> LeadGroup:
        """Returns the group of a lead."""
        index = self._range_of(score)
        return LeadGroup(self.minimum_scores[index], min(recent_events, self.max_recent_events[index]), is_idle)

    def _range_of(self, score: int) -> int:
        return max(0, bisect_right(self.minimum_scores, score) - 1)


def idle_leads(all_leads: Mapping[int, int], others: Mapping[LeadGroup, int]) -> Counter[LeadGroup]:
    """Returns the groups of the leads that are in none of the `others`: they are idle and have no recent events.

    `all_leads` has the number of all leads per minimum score.
    """
    left = Counter(all_leads)
    for group, count in others.items():
        left[group.minimum_score] -= count
    return Counter({LeadGroup(minimum_score, 0, True): count for minimum_score, count in left.items() if count})
