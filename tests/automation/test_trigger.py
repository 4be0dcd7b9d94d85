"""When triggers occur, whatever way events were batched, and how often rules may fire."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation_service.domain.condition import Conditions
from automation_service.domain.execution import Candidate, Firing, candidates, fire
from automation_service.domain.lead import DECAY, Change, Transition
from automation_service.domain.rule import Rule
from automation_service.domain.trigger import (
    Direction,
    EventReceived,
    Inactive,
    ScoreCrossed,
    StageEntered,
    StageLeft,
    Trigger,
    WhileConditionHolds,
)
from tests.automation.fakes import INSIGHT, NOW, change, event, rule
from tests.scoring.models import BUILT_IN

STAGES = tuple(each.stage for each in BUILT_IN.stages)


def through(*scores: int) -> Transition:
    """Returns a transition in which a page view brought a lead through some scores."""
    stages = [BUILT_IN.stage_of(score) for score in scores]
    return Transition(
        tuple(score for score, _ in groupby(scores)), tuple(stage for stage, _ in groupby(stages)), (event(),)
    )


def occurs_in(trigger: Trigger, transition: Transition) -> bool:
    return trigger.occurs(replace(change(), transitions=(transition,)), transition)


@pytest.mark.parametrize(
    ("trigger", "scores", "occurs"),
    [
        (WhileConditionHolds(), [5], True),
        (StageEntered(("hot",)), [0, 40], True),
        (StageEntered(("hot",)), [40, 45], False),
        (StageEntered(("hot",)), [100, 40], True),
        (StageEntered(("hot", "qualified")), [0, 100], True),
        (StageEntered(("warm",)), [0, 100], False),
        (StageEntered(("hot",)), [0, 40, 0], True),
        (StageLeft(("hot",)), [40, 60], True),
        (StageLeft(("hot",)), [40, 5], True),
        (StageLeft(("hot",)), [5, 40], False),
        (StageLeft(("hot",)), [5, 40, 5], True),
        (ScoreCrossed(60, Direction.UPWARD), [59, 60], True),
        (ScoreCrossed(60, Direction.UPWARD), [60, 61], False),
        (ScoreCrossed(60, Direction.UPWARD), [61, 59], False),
        (ScoreCrossed(60, Direction.UPWARD), [0, 100, 0], True),
        (ScoreCrossed(60, Direction.DOWNWARD), [60, 59], True),
        (ScoreCrossed(60, Direction.DOWNWARD), [59, 0], False),
        (ScoreCrossed(60, Direction.DOWNWARD), [0, 100, 0, 100], True),
        (EventReceived("page_view"), [5, 10], True),
        (EventReceived("signup"), [5, 10], False),
    ],
)
def test_a_trigger_occurs(trigger: Trigger, scores: list[int], occurs: bool) -> None:
    assert occurs_in(trigger, through(*scores)) is occurs


@given(st.lists(st.integers(0, 120), min_size=2, max_size=20), st.integers(1, 19), st.integers(1, 119))
def test_batching_does_not_change_which_triggers_occur(scores: list[int], cut: int, threshold: int) -> None:
    whole = through(*scores)
    parts = [through(*scores[: cut + 1]), through(*scores[cut:])] if cut < len(scores) - 1 else [whole]
    triggers: list[Trigger] = [ScoreCrossed(threshold, direction) for direction in Direction]
    triggers += [kind((stage,)) for kind in (StageEntered, StageLeft) for stage in STAGES]
    for trigger in triggers:
        assert occurs_in(trigger, whole) is any(occurs_in(trigger, part) for part in parts)
    upward = any(before < threshold <= after for before, after in pairwise(scores))
    assert occurs_in(ScoreCrossed(threshold, Direction.UPWARD), whole) is upward


def silent(day: int, days: int, last_event_days_ago: int = 100) -> Change:
    """Returns what decay does to a silent lead on a day of March."""
    return replace(
        change(day=day, sequence=day),
        event_types=(),
        kinds=(DECAY,),
        inactive_days=days,
        last_event_time=NOW - timedelta(days=last_event_days_ago),
        transitions=(Transition((41, 40), ("hot",)),),
    )


def test_inactivity_is_found_by_decay_alone_and_not_too_early() -> None:
    ten = with_trigger(Inactive(10))
    assert not candidates([silent(1, 9)], [ten])
    assert candidates([silent(1, 10)], [ten])
    assert not candidates([replace(silent(1, 10), event_types=("page_view",))], [ten])
    for kind in ("ADJUSTMENT", "RETRACTION", "MODEL"):
        assert not candidates([replace(silent(1, 10), kinds=(kind,))], [ten])
    assert not candidates([replace(silent(1, 10), transitions=())], [ten]), "the inactivity follows history"


def with_trigger(trigger: Trigger, cool_down_days: int = 0) -> Rule:
    asked = rule(conditions=Conditions(minimum_score=0))
    return replace(asked, draft=replace(asked.draft, trigger=trigger, cool_down_days=cool_down_days))


def fired(rule_: Rule, changes: Sequence[Change], last: Firing | None = None) -> list[int]:
    """Returns the days on which a rule fires, when it is asked day by day, each with what it has left before."""
    days = []
    for each in changes:
        firings = {(each.lead_id, "call"): last} if last else {}
        for candidate in fire(candidates([each], [rule_]), {"ada": INSIGHT}, set(), firings):
            days.append(date.fromisoformat(each.date_bucket).day)
            last = candidate.firing
    return days


def test_inactivity_fires_once_per_period() -> None:
    first = [silent(day, 9 + day) for day in range(1, 6)]
    second = [silent(day, day - 10, last_event_days_ago=3) for day in range(15, 25)]
    assert fired(with_trigger(Inactive(10)), [*first, *second]) == [1, 20]
    assert fired(with_trigger(Inactive(10), cool_down_days=25), [*first, *second]) == [1]


def test_inactivity_fires_although_the_rule_fired_on_the_event_that_began_it() -> None:
    """Its trigger was another one then."""
    changes = [silent(day, 9 + day) for day in range(2, 6)]
    received = Candidate(replace(changes[0], date_bucket="2026-03-01"), with_trigger(EventReceived("page_view")))
    assert fired(with_trigger(Inactive(10)), changes, received.firing) == [2]


@pytest.mark.parametrize(
    ("cool_down_days", "days"), [(0, [1, 2, 3, 4, 5, 6, 7]), (1, [1, 2, 3, 4, 5, 6, 7]), (3, [1, 4, 7])]
)
def test_a_cool_down_lasts_its_days(cool_down_days: int, days: list[int]) -> None:
    changes = [change(day=day, sequence=day) for day in range(1, 8)]
    assert fired(with_trigger(WhileConditionHolds(), cool_down_days), changes) == days
    rule_ = with_trigger(WhileConditionHolds(), cool_down_days)
    together = fire(candidates(changes, [rule_]), {"ada": INSIGHT}, set(), {})
    assert [each.change.sequence for each in together] == days
