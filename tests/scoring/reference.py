"""A second, naive way to a score, for comparison: every midnight and every event, one after the other.

It shares the model's numbers with the service and nothing else.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from scoring_service.domain.built_in import BUILT_IN
from scoring_service.domain.model import ResolvedEvent

POINTS = {rule.event_type: rule.points for rule in BUILT_IN.rules}


def score_of(events: Iterable[ResolvedEvent], through: date | None) -> int:
    """Returns the score of events (in any order) with all decay ticks up to a date, in UTC."""
    timeline = sorted((event.event_time, 1, event.event_id, event.event_type) for event in events)
    if not timeline:
        return 0
    day = timeline[0][0].date()
    while through is not None and day <= through:
        timeline.append((datetime(day.year, day.month, day.day, tzinfo=UTC), 0, "", ""))
        day += timedelta(days=1)
    score, last = 0, None
    for time, kind, _, event_type in sorted(timeline):
        if kind == 1:
            score = min(max(score + POINTS.get(event_type, 0), 0), 10_000)
            last = time
        elif last is not None and time - last >= timedelta(days=7):
            score = score * 95 // 100
    return score
