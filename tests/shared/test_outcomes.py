"""Which leads are judged: those whose outcome came after the landmark, and is known."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.outcomes import Outcome, Question

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LANDMARK = BEGAN + 7 * DAY


def question(*, losses: bool = False, horizon: timedelta | None = None) -> Question:
    lost = frozenset({"lost"}) if losses else frozenset[str]()
    return Question(frozenset({"won"}), lost, (7 * DAY,), horizon, None)


def event(event_type: str, days: float) -> tuple[str, datetime]:
    return event_type, BEGAN + days * DAY


@pytest.mark.parametrize(
    ("events", "asked", "observed", "expected"),
    [
        ([event("won", 8)], question(), 90, Outcome.CONVERTED),
        ([event("won", 7)], question(), 90, Outcome.CONVERTED),
        ([event("won", 6.99)], question(), 90, Outcome.DECIDED_BEFORE),
        ([event("page_view", 8)], question(), 90, Outcome.NOT_CONVERTED),
        ([event("page_view", 8)], question(losses=True), 90, Outcome.CENSORED),
        ([event("lost", 8)], question(losses=True), 90, Outcome.NOT_CONVERTED),
        ([event("lost", 6)], question(losses=True), 90, Outcome.DECIDED_BEFORE),
        ([event("lost", 6)], question(), 90, Outcome.NOT_CONVERTED),
        ([event("lost", 8), event("won", 9)], question(losses=True), 90, Outcome.NOT_CONVERTED),
        ([event("won", 8), event("lost", 9)], question(losses=True), 90, Outcome.CONVERTED),
        ([event("won", 38)], question(horizon=30 * DAY), 90, Outcome.NOT_CONVERTED),
        ([event("won", 36)], question(horizon=30 * DAY), 37, Outcome.CONVERTED),
        ([event("page_view", 8)], question(horizon=30 * DAY), 37, Outcome.NOT_CONVERTED),
        ([event("page_view", 8)], question(horizon=30 * DAY), 36.99, Outcome.CENSORED),
        ([event("page_view", 8)], question(losses=True, horizon=30 * DAY), 90, Outcome.NOT_CONVERTED),
        ([event("page_view", 1)], question(), 6, Outcome.CENSORED),
    ],
)
def test_an_outcome_is_known_or_the_lead_is_left_out(
    events: list[tuple[str, datetime]], asked: Question, observed: float, expected: Outcome
) -> None:
    decision = asked.decision(events)
    assert asked.outcome(decision, LANDMARK, BEGAN + observed * DAY) is expected
