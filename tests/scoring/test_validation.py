"""Every mistake of a model is found, with its path."""

from typing import Any

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service import model_codec
from scoring_service.domain.model_validation import InvalidModel
from shared.message_files import messages as plain
from tests.scoring.models import BUILT_IN

SOUND = plain.to_plain(model_codec.write_model(BUILT_IN))
RULE: dict[str, Any] = {"rule_id": "r", "event_types": ["x"], "points": 5}
FIT_RULE: dict[str, Any] = {"rule_id": "f", "points": 5, "conditions": [{"property": "country", "equals": "NL"}]}
FIT: dict[str, Any] = {
    "rules": [FIT_RULE],
    "grade_a_points": 30,
    "grade_b_points": 20,
    "grade_c_points": 10,
    "level_1_score": 60,
    "level_2_score": 30,
}


def flaws(content: dict[str, Any]) -> dict[str, str]:
    message = plain.from_plain(SOUND | content, pb.ScoringModel)
    with pytest.raises(InvalidModel) as caught:
        model_codec.read_model(message, 1)
    return dict(caught.value.violations)


def with_rule(**changes: object) -> dict[str, Any]:
    return {"rules": [RULE | changes]}


def with_condition(**operator: object) -> dict[str, Any]:
    return with_rule(conditions=[{"property": "p", **operator}])


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (with_rule(points=0), "rules[0].points"),
        (with_rule(points=None), "rules[0].points"),
        (with_rule(points=-1_000_001), "rules[0].points"),
        (with_rule(rule_id=""), "rules[0].rule_id"),
        (with_rule(rule_id="-x"), "rules[0].rule_id"),
        (with_rule(rule_id="x" * 65), "rules[0].rule_id"),
        (with_rule(rule_id="adjustment"), "rules[0].rule_id"),
        (with_rule(event_types=[]), "rules[0].event_types"),
        (with_rule(event_types=[""]), "rules[0].event_types[0]"),
        (with_rule(event_types=["x"] * 101), "rules[0].event_types"),
        (with_rule(group_id="nowhere"), "rules[0].group_id"),
        ({"rules": [RULE, RULE]}, "rules[1].rule_id"),
        ({"rules": [RULE | {"rule_id": f"r{n}"} for n in range(1001)]}, "rules"),
        (with_condition(), "rules[0].conditions[0]"),
        (with_condition(equals=[1]), "rules[0].conditions[0].equals"),
        (with_condition(equals="x" * 257), "rules[0].conditions[0].equals"),
        (with_condition(**{"in": []}), "rules[0].conditions[0].in"),
        (with_condition(**{"in": [["x"]]}), "rules[0].conditions[0].in"),
        (with_condition(contains=""), "rules[0].conditions[0].contains"),
        (with_condition(starts_with=""), "rules[0].conditions[0].starts_with"),
        (with_rule(conditions=[{"exists": True}]), "rules[0].conditions[0].property"),
        (with_rule(conditions=[{"property": "p", "exists": True}] * 21), "rules[0].conditions"),
        (with_rule(limits=[{"period": "day"}]), "rules[0].limits[0]"),
        (with_rule(limits=[{"max_times": 1}]), "rules[0].limits[0].period"),
        (with_rule(limits=[{"max_times": 0, "period": "day"}]), "rules[0].limits[0].max_times"),
        (with_rule(limits=[{"max_points": -5, "period": "ever"}]), "rules[0].limits[0].max_points"),
        (with_rule(limits=[{"max_times": n, "period": "day"} for n in (1, 2)]), "rules[0].limits[1]"),
        ({"groups": [{"group_id": "g", "cap": -1}]}, "groups[0].cap"),
        ({"groups": [{"group_id": "g", "cap": 1}] * 2}, "groups[1].group_id"),
        ({"groups": [{"group_id": "g", "parent_group_id": "h"}]}, "groups[0].parent_group_id"),
        ({"groups": [{"group_id": "g", "parent_group_id": "g"}]}, "groups[0].parent_group_id"),
        (
            {"groups": [{"group_id": a, "parent_group_id": b} for a, b in (("a", "b"), ("b", "c"), ("c", "a"))]},
            "groups[2].parent_group_id",
        ),
        ({"score_floor": 20_000}, "score_ceiling"),
        ({"score_ceiling": 10**12 + 1}, "score_ceiling"),
        ({"stages": []}, "stages"),
        ({"stages": [{"stage": "cold", "minimum_score": 3}]}, "stages[0].minimum_score"),
        ({"stages": [{"stage": "a"}, {"stage": "b"}], "churn_stages": []}, "stages[1].minimum_score"),
        (
            {"stages": [{"stage": "a"}, {"stage": "b", "minimum_score": 9}, {"stage": "c", "minimum_score": 5}]},
            "stages[2].minimum_score",
        ),
        ({"stages": [{"stage": "a"}, {"stage": "a", "minimum_score": 5}]}, "stages[1].stage"),
        ({"stages": [{"stage": "a"}, {"stage": "b", "minimum_score": 10_001}]}, "stages[1].minimum_score"),
        ({"churn_stages": ["lukewarm"]}, "churn_stages[0]"),
        ({"decay": {"grace": "7d"}}, "decay"),
        ({"decay": {"grace": "4000d", "percent_per_day": 5}}, "decay.grace"),
        ({"decay": {"percent_per_day": 101}}, "decay.percent_per_day"),
        ({"decay": {"half_life": "1h"}}, "decay.half_life"),
        ({"velocity": None}, "velocity.window"),
        ({"velocity": {"window": "1d", "weight": -1}}, "velocity.weight"),
        ({"velocity": {"window": "400d"}}, "velocity.window"),
        ({"risk": None}, "risk"),
        ({"next_actions": []}, "next_actions"),
        ({"next_actions": [{"next_action": "call", "risk": "low"}]}, "next_actions[0]"),
        ({"next_actions": [{"next_action": "call us"}]}, "next_actions[0].next_action"),
        (
            {"next_actions": [{"next_action": "a", "stages": ["nope"]}, {"next_action": "b"}]},
            "next_actions[0].stages[0]",
        ),
        ({"display_name": "x" * 257}, "display_name"),
        ({"fit": FIT | {"rules": []}}, "fit.rules"),
        ({"fit": FIT | {"rules": [FIT_RULE | {"points": 0}]}}, "fit.rules[0].points"),
        ({"fit": FIT | {"rules": [FIT_RULE | {"conditions": []}]}}, "fit.rules[0].conditions"),
        ({"fit": FIT | {"rules": [FIT_RULE | {"rule_id": "signup"}]}}, "fit.rules[0].rule_id"),
        ({"fit": FIT | {"grade_b_points": 30}}, "fit.grade_a_points"),
        ({"fit": FIT | {"level_1_score": 1}}, "fit.level_1_score"),
    ],
)
def test_a_mistake_is_reported_with_its_path(content: dict[str, Any], path: str) -> None:
    assert path in flaws(content)


def test_all_mistakes_are_found_not_only_the_first() -> None:
    found = flaws(
        {
            **with_rule(points=0, group_id="g", conditions=[{"property": "p"}]),
            "score_ceiling": -1,
            "next_actions": [],
            "fit": FIT | {"grade_c_points": 25},
        }
    )
    expected = {"rules[0].points", "rules[0].group_id", "rules[0].conditions[0]", "score_ceiling", "next_actions"}
    assert expected | {"fit.grade_b_points"} <= set(found)


def test_invalid_numbers_are_rejected() -> None:
    message = model_codec.write_model(BUILT_IN)
    message.rules[0].conditions.add(property="p", at_least=float("nan"))
    message.rules[0].conditions.add(property="p").equals.number_value = float("inf")
    message.rules[0].limits.add(period=99, max_times=1)
    with pytest.raises(InvalidModel) as caught:
        model_codec.read_model(message, 1)
    assert {path for path, _ in caught.value.violations} == {
        "rules[0].conditions[0].at_least",
        "rules[0].conditions[1].equals",
        "rules[0].limits[0].period",
    }


def test_a_valid_model_survives_a_round_trip() -> None:
    content = SOUND | {
        "rules": [
            RULE
            | {
                "conditions": [
                    {"property": "a", "in": ["x", 3, True], "ignore_case": True},
                    {"property": "b", "exists": False},
                    {"property": "c", "less_than": 2.5},
                ],
                "limits": [{"max_times": 2, "period": "30_days"}, {"max_points": 9, "period": "ever"}],
                "group_id": "g",
            }
        ],
        "groups": [{"group_id": "g", "cap": 50}],
        "decay": {"grace": "3d", "half_life": "10d", "floor": 5, "toward_zero": True},
        "fit": FIT,
    }
    model = model_codec.read_model(plain.from_plain(content, pb.ScoringModel), 4)
    again = model_codec.read_model(plain.from_plain(plain.to_plain(model_codec.write_model(model)), pb.ScoringModel), 4)
    assert again == model
