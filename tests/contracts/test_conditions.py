"""One condition language: every operator gives the same answer in a scoring model and in an automation rule."""

from typing import Any

import pytest
from leadscore.automation.v1 import automation_pb2
from leadscore.scoring.v1 import scoring_pb2

from automation_service import rule_codec
from cli.automation.condition_words import with_conditions_spelled_out
from scoring_service import model_codec
from shared.conditions import all_of
from shared.message_files import yaml_text
from shared.message_files.messages import from_plain
from tests.conftest import ROOT

VALUES: dict[str, Any] = {
    "plan": "Pro Plus",
    "pages": 3.0,
    "trial": True,
    "tags": ["a", "B", 1.0],
    "none": None,
    "company": {"size": 250.0, "hq": {"city": "Delft"}},
    "a.b": 1.0,
    "a": {"b": 2.0},
}
TABLE: list[tuple[str, dict[str, Any], bool]] = [
    ("plan", {"equals": "Pro Plus"}, True),
    ("plan", {"equals": "pro plus"}, False),
    ("plan", {"equals": "pro plus", "ignore_case": True}, True),
    ("pages", {"equals": 3}, True),
    ("pages", {"equals": "3"}, False),
    ("pages", {"equals": True}, False),
    ("trial", {"equals": True}, True),
    ("trial", {"equals": 1}, False),
    ("none", {"equals": ""}, False),
    ("missing", {"equals": False}, False),
    ("plan", {"in": ["Free", "Pro Plus"]}, True),
    ("plan", {"in": ["free", "PRO PLUS"], "ignore_case": True}, True),
    ("pages", {"in": ["Free", 3]}, True),
    ("trial", {"in": [1, "true"]}, False),
    ("none", {"in": ["Free"]}, False),
    ("tags", {"in": ["a"]}, False),
    ("plan", {"contains": "ro P"}, True),
    ("plan", {"contains": "RO p", "ignore_case": True}, True),
    ("tags", {"contains": "a"}, True),
    ("tags", {"contains": "b"}, False),
    ("tags", {"contains": "b", "ignore_case": True}, True),
    ("pages", {"contains": "3"}, False),
    ("plan", {"starts_with": "Pro"}, True),
    ("plan", {"starts_with": "pRO", "ignore_case": True}, True),
    ("plan", {"starts_with": "Plus"}, False),
    ("pages", {"starts_with": "3"}, False),
    ("plan", {"exists": True}, True),
    ("none", {"exists": True}, False),
    ("none", {"exists": False}, True),
    ("missing", {"exists": False}, True),
    ("plan", {"exists": False}, False),
    ("pages", {"greater_than": 3}, False),
    ("pages", {"at_least": 3}, True),
    ("pages", {"less_than": 3}, False),
    ("pages", {"at_most": 3}, True),
    ("trial", {"at_least": 0}, False),
    ("plan", {"at_least": 0}, False),
    ("missing", {"less_than": 3}, False),
    ("company.size", {"at_least": 250}, True),
    ("company.hq.city", {"equals": "delft", "ignore_case": True}, True),
    ("company.size.x", {"exists": True}, False),
    ("plan.x", {"exists": False}, True),
    ("a.b", {"equals": 1}, True),
]


def of_model(condition: dict[str, Any]) -> bool:
    """Returns what a rule of a scoring model says."""
    model = yaml_text.read_yaml((ROOT / "scoring_service/built_in.yaml").read_text(), scoring_pb2.ScoringModel)
    rule = {"rule_id": "r", "event_types": ["t"], "points": 1, "conditions": [condition]}
    del model.rules[:]
    model.rules.append(from_plain(rule, scoring_pb2.ScoringRule))
    test = all_of(model_codec.read_model(model, 0).rules[0].conditions)
    return test is not None and test(VALUES)


def of_rule(condition: dict[str, Any]) -> bool:
    """Returns what an automation rule says."""
    spelled = with_conditions_spelled_out({"conditions": {"attributes": [condition]}}, "", [])
    rule = from_plain(spelled, automation_pb2.AutomationRule)
    (read,) = rule_codec.read_rule(rule).conditions.attributes
    return read.holds(VALUES)


@pytest.mark.parametrize(("name", "comparison", "expected"), TABLE)
def test_a_model_and_a_rule_give_the_same_answer(name: str, comparison: dict[str, Any], *, expected: bool) -> None:
    condition = {"property": name, **comparison}
    assert (of_model(condition), of_rule(condition)) == (expected, expected)
