"""Rules are stored, and evaluated when leads change."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.action import Action
from automation_service.domain.condition import AttributeCondition, Conditions
from automation_service.domain.execution import Execution, Key
from automation_service.domain.lead import Risk
from automation_service.domain.limits import InvalidRule
from automation_service.domain.need import BASICS, Need
from automation_service.domain.receiver import Slack
from automation_service.domain.rule import Rule, RuleChanged, RuleExists, RuleNotFound
from automation_service.ports import ExecutionQuery
from automation_service.usecases.evaluation import Evaluation
from automation_service.usecases.rules import RuleBook, RuleValidator
from shared.conditions import Operator
from tests.automation.fake_stores import FakeChanges, FakeExecutions, FakeRules
from tests.automation.fakes import (
    INSIGHT,
    NOW,
    SENDER,
    AbsentInsights,
    FakeDeliveryQueue,
    FakeInsights,
    FakeModels,
    FakeReceivers,
    change,
    draft,
    plain,
    rule,
    webhook,
)

LATER = NOW + timedelta(hours=1)


def book(*rules: Rule) -> RuleBook:
    validator = RuleValidator(FakeModels(), FakeReceivers(), SandboxedTemplates(), allow_http=False)
    return RuleBook(FakeRules(*rules), validator, lambda: LATER)


async def test_a_new_rule_has_revision_one_and_its_time() -> None:
    created, warnings = await (rules := book()).create(draft())
    assert warnings == []
    assert (created.draft, created.revision, created.create_time, created.update_time) == (draft(), 1, LATER, LATER)
    with pytest.raises(RuleExists):
        await rules.create(draft())


async def test_a_rule_must_name_stages_of_the_model() -> None:
    with pytest.raises(InvalidRule):
        await book().create(draft(conditions=Conditions(stages=("tepid",))))


async def test_an_update_replaces_the_named_fields_only() -> None:
    asked = draft(conditions=Conditions(minimum_score=5), enabled=False)
    updated, _ = await book(rule()).update(asked, ["enabled"], 0)
    assert updated.draft == draft(enabled=False)
    assert (updated.revision, updated.create_time, updated.update_time) == (2, NOW, LATER)


async def test_an_update_requires_the_stored_revision() -> None:
    rules = book(rule())
    await rules.update(draft(enabled=False), ["enabled"], 1)
    with pytest.raises(RuleChanged):
        await rules.update(draft(), ["enabled"], 1)


async def test_validate_only_makes_every_check_and_stores_nothing() -> None:
    subject = book(rule("stored"))
    created, _ = await subject.create(draft("new"), validate_only=True)
    assert created.draft == draft("new")
    await subject.update(draft("stored", enabled=False), ["enabled"], 0, validate_only=True)
    assert await subject.rules.page((), 10) == [rule("stored")]
    with pytest.raises(RuleExists):
        await subject.create(draft("stored"), validate_only=True)
    with pytest.raises(InvalidRule):
        await subject.create(draft("bad", conditions=Conditions(stages=("tepid",))), validate_only=True)


async def test_of_two_concurrent_updates_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = book(rule())
    stale = await rules.rules.get("call")
    await rules.update(draft(enabled=False), ["enabled"], 0)

    async def get(rule_id: str) -> object:
        return stale

    monkeypatch.setattr(rules.rules, "get", get)
    with pytest.raises(RuleChanged):
        await rules.update(draft(), ["enabled"], 0)


async def test_an_update_must_leave_a_rule_within_the_limits() -> None:
    with pytest.raises(InvalidRule):
        await book(rule()).update(draft(conditions=Conditions(stages=("tepid",))), ["conditions"], 0)
    with pytest.raises(RuleNotFound):
        await book().update(draft(), ["enabled"], 0)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("", "https://chat.example/secret"),
        ("https://chat.example", "https://chat.example/secret"),
        ("https://chat.example/other", "https://chat.example/other"),
        ("https://other.example", "https://other.example"),
    ],
)
async def test_an_update_keeps_the_secret_url_of_slack(asked: str, kept: str) -> None:
    """A caller that reads a rule, changes a text and sends it back knows only the scheme and host of the URL."""
    subject = book(rule("call", None, Action("chat", Slack("https://chat.example/secret"))))
    changed = draft("call", None, Action("chat", Slack(asked, "Call them")))
    await subject.update(changed, ["actions"], 0)
    stored = plain(await subject.rules.get("call"))
    assert stored.draft.actions == (Action("chat", Slack(kept, "Call them")),)


async def test_a_rule_with_a_removed_stage_can_still_be_disabled() -> None:
    lost = Conditions(stages=("tepid",))
    updated, _ = await book(rule(conditions=lost)).update(draft(enabled=False), ["enabled"], 0)
    assert (updated.draft.enabled, updated.draft.conditions) == (False, lost)


@pytest.mark.parametrize("field", ["enabled", "display_name", "cool_down_days"])
async def test_a_rule_with_a_forbidden_url_can_still_be_renamed_and_disabled(field: str) -> None:
    plain = webhook(url="http://crm.example/hook")
    asked = replace(draft("call", None, plain, enabled=False), display_name="Ring", cool_down_days=3)
    updated, _ = await book(rule("call", None, plain)).update(asked, [field], 0)
    assert getattr(updated.draft, field) == getattr(asked, field)
    with pytest.raises(InvalidRule, match="must be https"):
        await book(rule("call", None, plain)).update(asked, [field, "actions"], 0)


def evaluation(changes: FakeChanges, rules: FakeRules, insights: FakeInsights | AbsentInsights) -> Evaluation:
    return Evaluation(
        changes, rules, FakeExecutions(), insights, SandboxedTemplates(), SENDER, FakeDeliveryQueue(), lambda: NOW
    )


async def test_a_step_records_executions_and_marks_all_changes() -> None:
    changes = FakeChanges(change("ada"), change("bob", stage="cold", score=5), change("cyd"))
    insights = FakeInsights(unknown=["cyd"])
    evaluated = evaluation(changes, FakeRules(rule(), rule("calm", Conditions(risk=Risk.HIGH))), insights)
    assert isinstance(delivery_queue := evaluated.delivery_queue, FakeDeliveryQueue)
    assert await evaluated.step([0], 10) == 3
    [recorded] = await evaluated.executions.page(ExecutionQuery(9))
    assert recorded.key == Key("ada", "call", "2026-03-01")
    assert changes.waiting == []
    assert [each.key.lead_id for each in delivery_queue.begun] == ["ada"]


async def test_intelligence_is_asked_only_about_leads_that_can_fire_a_rule() -> None:
    changes = FakeChanges(change("ada"), change("bob", stage="cold", score=5))
    insights = FakeInsights()
    evaluated = evaluation(changes, FakeRules(rule()), insights)
    await evaluated.step([0], 10)
    changes.waiting = [change("ada", 2), change("cyd")]
    await evaluated.step([0], 10)
    assert insights.asked == [{"ada"}, {"cyd"}]


KNOWN = replace(INSIGHT, attributes={"country": "NL", "name": "Ada", "notes": "x"})


async def test_a_rule_on_velocity_needs_only_the_basics() -> None:
    insights = FakeInsights()
    fast = rule("fast", Conditions(minimum_velocity=5))
    await evaluation(FakeChanges(change("ada"), change("bob")), FakeRules(fast), insights).step([0], 10)
    assert (insights.asked, insights.needs) == ([{"ada", "bob"}], [BASICS])


async def test_delivery_contents_are_requested_only_if_a_rule_fires() -> None:
    dutch = Conditions(attributes=(AttributeCondition("country", Operator.EQUALS, ("NL",)),))
    calm = rule("calm", Conditions(risk=Risk.HIGH), webhook())
    changes, insights = FakeChanges(change("ada"), change("bob")), FakeInsights(KNOWN)
    evaluated = evaluation(changes, FakeRules(calm), insights)
    await evaluated.step([0], 10)
    assert insights.needs == [BASICS], "no rule holds, so nothing is asked for"

    evaluated = evaluation(FakeChanges(change("ada")), FakeRules(calm, rule("dutch", dutch, webhook())), insights)
    await evaluated.step([0], 10)
    assert insights.needs[1:] == [Need(attributes=frozenset({"country"})), Need(attributes=None)]
    [recorded] = await evaluated.executions.page(ExecutionQuery(9))
    assert json.loads(recorded.deliveries[0].body)["data"]["lead"]["attributes"] == KNOWN.attributes


async def test_a_message_requests_the_attributes_that_its_template_uses() -> None:
    chat = Action(
        "chat", Slack("https://chat.example/x", "{{ lead.attributes.name }} of {{ lead.attributes.country }}")
    )
    insights = FakeInsights(KNOWN)
    evaluated = evaluation(FakeChanges(change("ada")), FakeRules(rule("call", None, chat)), insights)
    await evaluated.step([0], 10)
    assert insights.needs == [BASICS, Need(attributes=frozenset({"name", "country"}))]
    [recorded] = await evaluated.executions.page(ExecutionQuery(9))
    assert json.loads(recorded.deliveries[0].body) == {"text": "Ada of NL"}


async def test_large_deliveries_are_recorded_in_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automation_service.usecases.evaluation.MAX_BYTES", 3 * Need(attributes=None).max_bytes + 1_000)
    leads = [f"lead-{number}" for number in range(10)]
    changes, insights = FakeChanges(*map(change, leads)), FakeInsights(KNOWN)
    evaluated = evaluation(changes, FakeRules(rule("call", None, webhook())), insights)
    recorded: list[int] = []
    record = evaluated.executions.record

    async def count(some: Sequence[Execution]) -> None:
        recorded.append(len(some))
        assert len(changes.waiting) == 10, "the rows are marked at the end"
        await record(some)

    monkeypatch.setattr(evaluated.executions, "record", count)
    assert await evaluated.step([0], 10) == 10
    assert recorded == [3, 3, 3, 1]
    assert changes.waiting == []
    assert sorted(each.key.lead_id for each in await evaluated.executions.page(ExecutionQuery(99))) == leads


async def test_without_rules_changes_are_marked_and_nothing_is_requested() -> None:
    changes, insights = FakeChanges(change()), FakeInsights()
    assert await evaluation(changes, FakeRules(rule(enabled=False)), insights).step([0], 10) == 1
    assert (changes.waiting, insights.asked) == ([], [])


async def test_changes_stay_pending_if_intelligence_is_unavailable() -> None:
    changes = FakeChanges(change())
    evaluated = evaluation(changes, FakeRules(rule()), AbsentInsights())
    with pytest.raises(TimeoutError):
        await evaluated.step([0], 10)
    assert changes.waiting == [change()]


async def test_a_change_settled_by_another_drain_does_not_hide_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both changes fire with one key; the first is settled, without an execution, after this step has read it."""
    changes = FakeChanges(change(sequence=1), change(sequence=2))
    evaluated = evaluation(changes, FakeRules(rule()), FakeInsights())
    found = await changes.read(await changes.pending([0], 10))
    changes.waiting = [change(sequence=2)]

    async def read(_: object) -> object:
        return found

    monkeypatch.setattr(changes, "read", read)
    await evaluated.step([0], 10)
    recorded = await evaluated.executions.page(ExecutionQuery(10))
    assert [each.change_sequence for each in recorded] == [2]
