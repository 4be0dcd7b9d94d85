"""The contract of `Rules`, in memory and in MongoDB."""

from dataclasses import replace

import pytest

from automation_service.domain.action import Action
from automation_service.domain.condition import AttributeCondition, Conditions
from automation_service.domain.lead import Risk
from automation_service.domain.preset import Preset
from automation_service.domain.receiver import Email, Slack
from automation_service.domain.rule import RuleExists, RuleNotFound
from automation_service.domain.trigger import (
    Direction,
    EventReceived,
    Inactive,
    ScoreCrossed,
    StageEntered,
    StageLeft,
    Trigger,
)
from automation_service.ports import Rules
from shared.conditions import Operator
from tests.automation.fakes import plain, rule, webhook


async def test_a_rule_is_read_as_it_was_stored(rules: Rules) -> None:
    attributes = (AttributeCondition("a.$b", Operator.IN, ("x", 1.5, True)), AttributeCondition("c", Operator.EXISTS))
    actions = (
        webhook(),
        Action("chat", Slack("https://chat.example/x", "hi"), Preset.NOTIFY_SALES, {"$a.b": "c", "": "d"}),
        Action("mail", Email(("a@b.example",), "email", "s", "b")),
    )
    asked = Conditions(("hot", "cold"), -5, 2**40, Risk.HIGH, 9, 8, ("monitor",), attributes)
    full = replace(rule("full", asked, *actions), disable_reason="gone")
    triggers: tuple[Trigger, ...] = (
        StageEntered(("hot",)), StageLeft(("hot", "cold")), ScoreCrossed(60, Direction.DOWNWARD),
        EventReceived("signup"), Inactive(30),
    )  # fmt: skip
    with_triggers = [
        replace(rule(str(index)), draft=replace(rule(str(index)).draft, trigger=trigger, cool_down_days=index))
        for index, trigger in enumerate(triggers)
    ]
    for each in (rule("plain"), full, *with_triggers):
        await rules.create(each)
        assert plain(await rules.get(each.draft.rule_id)) == each


async def test_creating_an_existing_rule_is_refused(rules: Rules) -> None:
    await rules.create(rule())
    with pytest.raises(RuleExists):
        await rules.create(rule(enabled=False))
    assert (await rules.get("call")).draft.enabled


async def test_rules_are_listed_by_id_after_a_cursor(rules: Rules) -> None:
    for rule_id in ("b", "d", "a", "c"):
        await rules.create(rule(rule_id))
    assert [each.draft.rule_id for each in await rules.page((), 3)] == ["a", "b", "c"]
    assert [each.draft.rule_id for each in await rules.page(("b",), 3)] == ["c", "d"]


async def test_enabled_returns_only_enabled_rules(rules: Rules) -> None:
    await rules.create(rule("on"))
    await rules.create(rule("off", enabled=False))
    assert [each.draft.rule_id for each in await rules.enabled()] == ["on"]


async def test_replace_requires_the_stored_revision(rules: Rules) -> None:
    await rules.create(rule())
    second = replace(rule(), revision=2)
    assert await rules.replace(second, 1)
    assert not await rules.replace(replace(rule(), revision=3), 1)
    assert plain(await rules.get("call")) == second


async def test_a_deleted_rule_cannot_be_found(rules: Rules) -> None:
    await rules.create(rule())
    await rules.delete("call")
    with pytest.raises(RuleNotFound):
        await rules.get("call")
    with pytest.raises(RuleNotFound):
        await rules.delete("call")
    assert not await rules.replace(rule(), 1)
