"""What the built-in model decides, row by row, and the sentences that explain it."""

from datetime import timedelta

import pytest

from intelligence_service.domain.insight import Contribution, LeadNotFound, decide, judge
from intelligence_service.domain.model import Risk
from tests.intelligence.fakes import MODEL, NOW, facts

FRESH, IDLE, STALE = timedelta(hours=1), timedelta(days=7), timedelta(days=7, milliseconds=1)


@pytest.mark.parametrize(
    ("stage", "recent", "inactivity", "action"),
    [
        ("qualified", 1, FRESH, "immediate_outreach"),
        ("qualified", 0, FRESH, "monitor"),
        ("qualified", 0, STALE, "re_engage"),
        ("hot", 3, FRESH, "prioritize_contact"),
        ("hot", 2, FRESH, "schedule_demo"),
        ("hot", 0, FRESH, "schedule_demo"),
        ("hot", 0, STALE, "re_engage"),
        ("warm", 0, STALE, "re_engage"),
        ("warm", 9, FRESH, "nurture_campaign"),
        ("cold", 9, FRESH, "monitor"),
        ("cold", 0, STALE, "monitor"),
    ],
)
def test_the_first_row_that_holds_decides_the_next_action(
    stage: str, recent: int, inactivity: timedelta, action: str
) -> None:
    assert decide(facts(stage=stage, recent=recent, inactivity=inactivity), MODEL).row.next_action == action


@pytest.mark.parametrize(
    ("inactivity", "risk"),
    [
        (timedelta(), Risk.LOW),
        (timedelta(hours=-20), Risk.LOW),
        (IDLE - timedelta(milliseconds=1), Risk.LOW),
        (IDLE, Risk.LOW),
        (STALE, Risk.HIGH),
    ],
)
def test_risk_is_high_after_more_than_seven_days(inactivity: timedelta, risk: Risk) -> None:
    assert decide(facts(inactivity=inactivity), MODEL).risk is risk


@pytest.mark.parametrize(("recent", "velocity"), [(0, 0), (1, 3), (3, 9), (1_000_000, 3_000_000)])
def test_velocity_is_three_for_each_recent_event(recent: int, velocity: int) -> None:
    assert decide(facts(recent=recent), MODEL).velocity == velocity


@pytest.mark.parametrize(
    ("stage", "recent", "inactivity", "churned"),
    [
        ("hot", 0, STALE, True),
        ("qualified", 0, STALE, True),
        ("warm", 0, STALE, False),
        ("cold", 0, STALE, False),
        ("hot", 0, IDLE, False),
        ("hot", 1, STALE, False),
    ],
)
def test_a_lead_in_a_high_stage_is_churned_when_it_is_inactive(
    stage: str, recent: int, inactivity: timedelta, churned: bool
) -> None:
    assert decide(facts(stage=stage, recent=recent, inactivity=inactivity), MODEL).churned is churned


def test_an_insight_names_every_threshold_that_fired() -> None:
    insight = judge(facts(score=40, recent=3, inactivity=timedelta(hours=2, minutes=5)), MODEL)
    assert [(each.decided, each.outcome, each.explanation) for each in insight.thresholds] == [
        ("stage", "hot", "score 40 is at least 31 and below 60"),
        ("velocity", "9", "3 × 3 events within 1 day = 9"),
        ("risk", "low", "the last event was 2 hours 5 minutes ago, not more than 7 days ago"),
        (
            "next_action",
            "prioritize_contact",
            "first row that holds: stage is hot, velocity 9 is at least 9, risk is low",
        ),
    ]


def test_an_insight_explains_why_a_lead_is_churned() -> None:
    insight = judge(facts(score=50, inactivity=timedelta(days=180, hours=3)), MODEL)
    assert [(each.decided, each.outcome, each.explanation) for each in insight.thresholds[2:]] == [
        ("risk", "high", "the last event was 180 days 3 hours ago, more than 7 days ago"),
        ("churn", "churned", "stage is hot, velocity is 0 and risk is high"),
        ("next_action", "re_engage", "first row that holds: stage is hot, risk is high"),
    ]


@pytest.mark.parametrize(
    ("score", "inactivity", "index", "explanation"),
    [
        (0, FRESH, 0, "score 0 is below 11"),
        (70, FRESH, 0, "score 70 is at least 60"),
        (0, STALE, 2, "the last event was 7 days 1 millisecond ago, more than 7 days ago"),
        (0, timedelta(days=8, hours=2, minutes=5), 2, "the last event was 8 days 2 hours ago, more than 7 days ago"),
        (0, timedelta(), 2, "the last event was 0 seconds ago, not more than 7 days ago"),
        (0, timedelta(seconds=9, milliseconds=624), 2, "the last event was 9 seconds ago, not more than 7 days ago"),
        (0, timedelta(hours=1, seconds=59), 2, "the last event was 1 hour ago, not more than 7 days ago"),
        (0, -FRESH, 2, "the last event is 1 hour in the future"),
        (0, FRESH, 3, "no other row holds"),
    ],
)
def test_an_explanation_contains_the_numbers(score: int, inactivity: timedelta, index: int, explanation: str) -> None:
    assert judge(facts(score=score, inactivity=inactivity), MODEL).thresholds[index].explanation == explanation


def test_the_top_rules_are_the_five_that_gave_most_points() -> None:
    points = {"f": 1, "e": 5, "d": 5, "c": 7, "b": 8, "a": 9, "": 0, "unsubscribe": -20}
    assert judge(facts(points=points), MODEL).top_rules == tuple(
        Contribution(rule_id, each) for rule_id, each in [("a", 9), ("b", 8), ("c", 7), ("d", 5), ("e", 5)]
    )


def test_an_unknown_lead_is_reported_with_the_requested_time_if_there_is_one() -> None:
    assert str(LeadNotFound("eve")) == "no event of lead 'eve' has been scored"
    assert str(LeadNotFound("eve", NOW)) == "no event of lead 'eve' has been scored by 2026-03-01 12:00:00 UTC"
