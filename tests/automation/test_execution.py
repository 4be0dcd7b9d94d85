"""When rules fire on changes, and what that leaves."""

import json
from dataclasses import replace

import pytest

from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.condition import Conditions
from automation_service.domain.execution import Key, candidates, execution, fire
from automation_service.domain.lead import Change, Risk, Transition
from automation_service.domain.rule import Per, Rule
from automation_service.domain.trigger import (
    Direction,
    EventReceived,
    ScoreCrossed,
    StageEntered,
    Trigger,
    WhileConditionHolds,
)
from tests.automation.fakes import INSIGHT, NOW, SENDER, change, event, executed, rule, webhook


def test_only_rules_that_the_change_allows_are_candidates() -> None:
    hot, warm = change("ada"), change("bob", stage="warm", score=20)
    rules = [rule("hot"), rule("rich", Conditions(minimum_score=20)), rule("fast", Conditions(minimum_velocity=99))]
    found = [(each.change.lead_id, each.rule.draft.rule_id) for each in candidates([hot, warm], rules)]
    assert found == [("ada", "hot"), ("ada", "rich"), ("ada", "fast"), ("bob", "rich"), ("bob", "fast")]


def test_the_first_change_of_a_key_wins() -> None:
    changes = [change(sequence=1), change(sequence=2), change(sequence=3, day=2)]
    fired = fire(candidates(changes, [rule()]), {"ada": INSIGHT}, set(), {})
    assert [each.change.sequence for each in fired] == [1, 3]


def test_a_key_that_is_taken_does_not_fire() -> None:
    found = candidates([change(), change("bob")], [rule()])
    fired = fire(found, {"ada": INSIGHT, "bob": INSIGHT}, {Key("ada", "call", "2026-03-01")}, {})
    assert [each.key.lead_id for each in fired] == ["bob"]


def test_a_rule_that_does_not_hold_does_not_fire() -> None:
    found = candidates([change()], [rule("calm", Conditions(risk=Risk.HIGH)), rule("any")])
    assert [each.key.rule_id for each in fire(found, {"ada": INSIGHT}, set(), {})] == ["any"]


def test_a_lead_without_a_score_fires_nothing() -> None:
    assert fire(candidates([change()], [rule()]), {}, set(), {}) == []


def test_the_id_of_an_execution_depends_on_its_key_alone() -> None:
    first, again = executed(change(sequence=1), rule()), executed(change(sequence=9, score=50), rule(), NOW)
    assert first.execution_id == again.execution_id == "8d7087685c476e93c2d2a1feccbe6c51"
    others = [change("bob"), change(day=2)]
    assert len({first.execution_id, *(executed(each, rule()).execution_id for each in others)}) == 3
    assert executed(change("a"), rule("bc")).execution_id != executed(change("ab"), rule("c")).execution_id


def test_an_execution_keeps_what_made_it_fire() -> None:
    execution = executed(change(sequence=4), rule())
    assert execution.key == Key("ada", "call", "2026-03-01")
    assert (execution.event_id, execution.event_type) == ("ada-4", "page_view")
    assert (execution.change_sequence, execution.score, execution.stage_before, execution.stage_after) == (
        4,
        40,
        "cold",
        "hot",
    )
    assert (execution.velocity, execution.risk, execution.next_action) == (9, Risk.LOW, "prioritize_contact")


def of_transitions(*transitions: Transition) -> Change:
    return replace(change(), transitions=transitions)


def fired_for(rule_: Rule, *transitions: Transition) -> list[tuple[str, str]]:
    """Returns the event ids of the executions, each with that of its key."""
    fired = fire(candidates([of_transitions(*transitions)], [rule_]), {"ada": INSIGHT}, set(), {})
    return [(each.event.event_id if each.event else "", each.key.event_id) for each in fired]


def asking(trigger: Trigger, per: Per = Per.DATE) -> Rule:
    asked = rule(conditions=Conditions(minimum_score=0))
    return replace(asked, draft=replace(asked.draft, trigger=trigger, per=per))


VIEW = Transition((0, 5), ("cold",), (event("view"),))
FIRST = Transition((5, 40), ("cold", "hot"), (event("first", "demo_request", product="CRM"),))
SECOND = Transition((40, 90), ("hot", "qualified"), (event("second", "demo_request", product="ERP"),))
LATE = Transition((0, 90), ("cold", "qualified"), (event("a"), event("b", "demo_request"), event("c")))
DECAYED = Transition((90, 85), ("qualified",))


@pytest.mark.parametrize(
    ("trigger", "transitions", "of_date", "of_event"),
    [
        (EventReceived("demo_request"), (VIEW, FIRST, SECOND), ["first"], ["first", "second"]),
        (EventReceived("demo_request"), (LATE,), ["b"], ["b"]),
        (StageEntered(("hot", "qualified")), (VIEW, FIRST, SECOND), ["first"], ["first", "second"]),
        (StageEntered(("qualified",)), (LATE,), ["c"], ["c"]),
        (StageEntered(("cold",)), (FIRST,), [], []),
        (WhileConditionHolds(), (VIEW, FIRST), ["first"], ["view", "first"]),
        (ScoreCrossed(90, Direction.DOWNWARD), (SECOND, DECAYED), [""], [""]),
        (WhileConditionHolds(), (), [], []),
    ],
)
def test_a_rule_fires_for_the_event_that_its_trigger_saw(
    trigger: Trigger, transitions: tuple[Transition, ...], of_date: list[str], of_event: list[str]
) -> None:
    assert fired_for(asking(trigger), *transitions) == [(event_id, "") for event_id in of_date]
    assert fired_for(asking(trigger, Per.EVENT), *transitions) == [(event_id, event_id) for event_id in of_event]


def test_a_webhook_carries_the_event() -> None:
    asked = asking(EventReceived("demo_request"), Per.EVENT)
    asked = replace(asked, draft=replace(asked.draft, actions=(webhook(),)))
    found = fire(candidates([of_transitions(VIEW, FIRST, SECOND, DECAYED)], [asked]), {"ada": INSIGHT}, set(), {})
    sent = [execution(each, INSIGHT, NOW, SandboxedTemplates().render, SENDER) for each in found]
    assert len({each.execution_id for each in sent}) == 2
    data = [json.loads(each.deliveries[0].body)["data"] for each in sent]
    assert data[0]["event"] == {
        "event_id": "first",
        "event_type": "demo_request",
        "event_time": "2026-03-01T11:00:00.000Z",
        "properties": {"product": "CRM"},
    }
    assert data[1]["event"]["properties"] == {"product": "ERP"}
    decayed = asking(ScoreCrossed(90, Direction.DOWNWARD))
    decayed = replace(decayed, draft=replace(decayed.draft, actions=(webhook(),)))
    [delivery] = executed(of_transitions(DECAYED), decayed).deliveries
    assert json.loads(delivery.body)["data"]["event"] is None
