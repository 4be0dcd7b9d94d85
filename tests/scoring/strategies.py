"""Hypothesis strategies: timelines of one lead, and the orders in which they can reach the service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from scoring_service.domain.model import Event
from scoring_service.domain.timeline import JudgedEvent
from tests.scoring.models import BUILT_IN, judged

START = datetime(2026, 3, 1, tzinfo=UTC)
TYPES = [rule.rule_id for rule in BUILT_IN.rules] + ["unheard_of", "identify"]


@dataclass(frozen=True)
class Arrival:
    """Events that are recorded together, after decay has run through a date (None: not yet)."""

    events: Sequence[JudgedEvent]
    through: date | None


# Steps of six hours cause ties; a span of 60 days leaves inactivity gaps longer than the grace period.
_times = st.integers(0, 60 * 4).map(lambda quarter_days: START + timedelta(hours=6 * quarter_days))


@st.composite
def timelines(draw: st.DrawFn, *, limit: int = 12) -> list[JudgedEvent]:
    """Draws the events of a lead, judged by the built-in model, in no particular order."""
    drawn = draw(st.lists(st.tuples(_times, st.sampled_from(TYPES)), min_size=1, max_size=limit))
    return [
        judged(Event(f"e{index:02}", kind, time, {"name": f"n{index}"} if kind == "identify" else {}))
        for index, (time, kind) in enumerate(drawn)
    ]


@st.composite
def arrivals(draw: st.DrawFn, timeline: Sequence[JudgedEvent], last: date | None) -> list[Arrival]:
    """Draws an order of arrival, a cut into batches, and decay runs in between, the last one through `last`."""
    order = draw(st.permutations(timeline))
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=4)) | {len(order)})
    batches = [order[start:end] for start, end in zip([0, *cuts[:-1]], cuts, strict=True)]
    offsets = sorted(draw(st.lists(st.integers(-5, 80), min_size=len(batches), max_size=len(batches))))
    throughs = [_through(offset, last) for offset in offsets]
    return [*(Arrival(each, through) for each, through in zip(batches, throughs, strict=True)), Arrival((), last)]


def _through(offset: int, last: date | None) -> date | None:
    # A negative offset means that decay has not run yet.
    return None if last is None or offset < 0 else min(START.date() + timedelta(days=offset), last)


lasts = st.none() | st.integers(0, 90).map(lambda days: START.date() + timedelta(days=days))
