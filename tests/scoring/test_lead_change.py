"""What one update changes, as automation triggers see it."""

from datetime import datetime, timedelta

import pytest

from scoring_service.domain.entry import Entry, EntryKind
from scoring_service.domain.lead import Lead, LeadUpdate, PathPoint
from scoring_service.domain.lead_change import LeadChange, change_of
from scoring_service.domain.lead_state import EMPTY
from tests.scoring.strategies import START

DAY = timedelta(days=1)


def entry(sequence: int, kind: EntryKind, event_type: str = "") -> Entry:
    return Entry(sequence, kind, f"e{sequence}", START, START, 1, 0, 0, 0, "cold", "cold", event_type)


def update(*entries: Entry, path: list[tuple[int, str]], last_event_time: datetime | None = START) -> LeadUpdate:
    after = EMPTY._replace(last_event_time=last_event_time)
    return LeadUpdate(Lead("ada"), Lead("ada", len(entries), after, 1), entries, [PathPoint(*each) for each in path])


def test_a_change_lists_every_score_and_stage_in_between() -> None:
    found = change_of(
        update(
            entry(1, EntryKind.EVENT, "signup"),
            entry(2, EntryKind.DECAY),
            entry(3, EntryKind.EVENT, "page_view"),
            entry(4, EntryKind.EVENT, "signup"),
            path=[(0, "cold"), (20, "warm"), (20, "warm"), (8, "cold"), (13, "warm"), (33, "hot")],
        ),
        START,
    )
    assert found == LeadChange(
        scores=(0, 20, 8, 13, 33),
        stages=("cold", "warm", "cold", "warm", "hot"),
        event_types=("page_view", "signup"),
        kinds=("DECAY", "EVENT"),
        inactive_days=0,
    )


@pytest.mark.parametrize(
    ("since_last_event", "days"),
    [(8 * DAY, 8), (8 * DAY - timedelta(milliseconds=1), 7), (-DAY, 0), (0 * DAY, 0)],
)
def test_inactive_days_are_whole_days_and_never_negative(since_last_event: timedelta, days: int) -> None:
    decayed = update(entry(1, EntryKind.DECAY), path=[(10, "cold"), (9, "cold")])
    assert change_of(decayed, START + since_last_event).inactive_days == days


def test_a_lead_without_events_has_no_inactive_days() -> None:
    adjusted = update(entry(1, EntryKind.ADJUSTMENT), path=[(0, "cold"), (5, "cold")], last_event_time=None)
    assert change_of(adjusted, START + 9 * DAY).inactive_days == 0
