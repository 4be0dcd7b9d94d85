"""The needed data about leads: exactly what rules evaluate and deliver."""

import pytest

from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.action import Action
from automation_service.domain.condition import AttributeCondition, Conditions
from automation_service.domain.need import BASICS, EVERYTHING, Need, of_actions, of_conditions, portions
from automation_service.domain.receiver import Email, Slack
from shared.conditions import Operator
from tests.automation.fakes import change, webhook


def attributes(*names: str) -> Need:
    return Need(attributes=frozenset(names))


@pytest.mark.parametrize(
    ("conditions", "need"),
    [
        (Conditions(("hot",), 5, 9, next_actions=("monitor",)), BASICS),
        (Conditions(fit_grades=("A",)), Need(fit=True)),
        (Conditions(attributes=(AttributeCondition("country", Operator.EXISTS),)), attributes("country")),
    ],
)
def test_conditions_need_what_they_use(conditions: Conditions, need: Need) -> None:
    assert of_conditions(conditions) == need


@pytest.mark.parametrize(
    ("actions", "need"),
    [
        ([], BASICS),
        ([webhook()], Need(attributes=None)),
        ([Action("chat", Slack("https://chat.example/x", "{{ score.after }}"))], BASICS),
        ([Action("chat", Slack("https://chat.example/x"))], attributes("name")),
        ([Action("chat", Slack("https://chat.example/x", "{{ lead }}"))], Need(attributes=None)),
        (
            [Action("mail", Email(("a@b.example",), "email", "{{ lead.attributes.city }}", "{{ risk }}"))],
            attributes("email", "city"),
        ),
        ([Action("mail", Email(("a@b.example",), "", "s", "b")), webhook()], Need(attributes=None)),
    ],
)
def test_actions_need_what_they_deliver(actions: list[Action], need: Need) -> None:
    assert of_actions(actions, SandboxedTemplates().attributes) == need


def test_two_needs_can_be_combined() -> None:
    assert attributes("a") | attributes("b") == attributes("a", "b")
    assert attributes("a") | Need(fit=True) == Need(True, frozenset({"a"}))
    assert EVERYTHING | attributes("a") == attributes("a") | EVERYTHING == EVERYTHING


def test_the_size_grows_with_the_attributes_up_to_the_limit_of_a_lead() -> None:
    few, some, many = attributes("a"), attributes("a", "b"), attributes(*map(str, range(200)))
    assert BASICS.max_bytes < few.max_bytes < some.max_bytes < many.max_bytes == EVERYTHING.max_bytes


def test_changes_are_split_in_order_into_portions_of_bounded_size() -> None:
    changes = [change(lead_id) for lead_id in "abcdef"]
    sizes = {"a:1": 4, "b:1": 4, "c:1": 4, "e:1": 50, "f:1": 1}
    assert [[each.lead_id for each in portion] for portion in portions(changes, sizes, 10)] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
        ["f"],
    ]
    assert list(portions([], sizes, 10)) == []
