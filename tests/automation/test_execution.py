"""When rules fire on changes, and what that leaves."""

from automation_service.domain.condition import Conditions
from automation_service.domain.execution import Key, candidates, fire
from automation_service.domain.lead import Risk
from tests.automation.fakes import INSIGHT, NOW, change, executed, rule


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
    assert first.execution_id == again.execution_id == "eae28957461475e6eea0fe8aa05ff0d6"
    others = [change("bob"), change(day=2)]
    assert len({first.execution_id, *(executed(each, rule()).execution_id for each in others)}) == 3
    assert executed(change("a"), rule("bc")).execution_id != executed(change("ab"), rule("c")).execution_id


def test_an_execution_keeps_what_made_it_fire() -> None:
    execution = executed(change(sequence=4), rule())
    assert execution.key == ("ada", "call", "2026-03-01")
    assert (execution.change_sequence, execution.score, execution.stage_before, execution.stage_after) == (
        4,
        40,
        "cold",
        "hot",
    )
    assert (execution.velocity, execution.risk, execution.next_action) == (9, Risk.LOW, "prioritize_contact")
