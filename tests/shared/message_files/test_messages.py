"""Plain values become messages and back, and every flaw is reported with its path."""

import pytest
from google.protobuf.struct_pb2 import Struct
from leadscore.scoring.v1 import scoring_pb2
from leadscore.scoring.v1.scoring_pb2 import ScoringModel

from shared.message_files.messages import Flawed, from_plain
from shared.message_files.yaml_text import read_yaml, write_yaml
from tests.shared.message_files.flaws import flaws_of


def test_a_model_is_written_in_the_documented_format() -> None:
    model = ScoringModel(score_ceiling=100, stages=[scoring_pb2.Stage(stage="cold")])
    rule = model.rules.add(rule_id="signup", event_types=["signup", "join"], points=20)
    rule.conditions.add(property="plan").one_of.extend(["pro", "NO", 3, 1.5, None, True])
    rule.conditions.add(property="bot", exists=False)
    rule.limits.add(max_times=1, period=scoring_pb2.PERIOD_30_DAYS)
    model.velocity.window.FromSeconds(129_600)
    model.decay.SetInParent()
    assert write_yaml(model).splitlines() == [
        "rules:",
        "- rule_id: signup",
        "  event_types: [signup, join]",
        "  points: 20",
        "  conditions:",
        "  - {property: plan, in: [pro, 'NO', 3, 1.5, null, true]}",
        "  - {property: bot, exists: false}",
        "  limits:",
        "  - {max_times: 1, period: 30_days}",
        "score_ceiling: 100",
        "stages:",
        "- {stage: cold}",
        "decay: {}",
        "velocity:",
        "  window: 1d12h",
    ]


def test_a_field_is_named_by_its_proto_name_or_its_json_name() -> None:
    by_json_name = read_yaml("{property: x, in: [1]}", scoring_pb2.Condition)
    assert by_json_name == read_yaml("{property: x, one_of: [1]}", scoring_pb2.Condition)
    assert flaws_of("rules: [{ruleId: x}]") == ["rules[0].ruleId: is unknown; did you mean rule_id?"]
    assert flaws_of("{in: [1], one_of: [1]}", scoring_pb2.Condition) == ["one_of: cannot be given together with in"]


def test_an_empty_value_means_that_the_field_is_not_set() -> None:
    assert read_yaml("{rules: , decay: null, display_name: ~, score_floor: 1}", ScoringModel) == ScoringModel(
        score_floor=1
    )


def test_all_flaws_are_reported_with_their_paths() -> None:
    text = """
    rules:
      - {rule_id: 5, pionts: 3, points: true, event_types: view}
      - conditions: [{contains: 4}, {equals: [1, {a: .nan}], exists: true}, {exists: 1}]
      -
      - {limits: [{period: weekly}, {period: 1}, {max_points: 1.5}, {max_points: 9223372036854775808}]}
      - {points: 1e999, event_types: [1, null]}
    velocity: {window: 5}
    risk: {idle: soon}
    next_actions: {a: 1}
    create_time: tomorrow
    score_floor: "1"
    fit: 7
    """
    assert flaws_of(text) == [
        "rules[0].rule_id: is a number, must be text",
        "rules[0].pionts: is unknown; did you mean points?",
        "rules[0].points: is true or false, must be a whole number",
        "rules[0].event_types: is text, must be a list",
        "rules[1].conditions[0].contains: is a number, must be text",
        "rules[1].conditions[1].equals[1].a: is not a finite number",
        "rules[1].conditions[1].exists: cannot be given together with equals",
        "rules[1].conditions[2].exists: is a number, must be true or false",
        "rules[2]: is empty, must be a mapping",
        "rules[3].limits[0].period: is 'weekly', must be day, 30_days or ever",
        "rules[3].limits[1].period: is a number, must be day, 30_days or ever",
        "rules[3].limits[2].max_points: is 1.5, must be a whole number",
        "rules[3].limits[3].max_points: must be -9223372036854775808 to 9223372036854775807",
        "rules[4].points: is inf, must be a whole number",
        "rules[4].event_types[0]: is a number, must be text",
        "rules[4].event_types[1]: is empty, must be text",
        "velocity.window: is a number, must be a duration such as 7d, 1d12h, 90m or 10s",
        "risk.idle: is not a duration such as 7d, 1d12h, 90m or 10s",
        "next_actions: is a mapping, must be a list",
        "create_time: must be a time such as 2026-01-31T12:00:00Z",
        "score_floor: is text, must be a whole number",
        "fit: is a number, must be a mapping",
    ]


def test_paths_start_with_the_given_prefix() -> None:
    with pytest.raises(Flawed, match=r"^model\.rules\[0\]: is text, must be a mapping$"):
        from_plain({"rules": ["x"]}, ScoringModel, "model")


def test_values_that_no_field_accepts_are_refused() -> None:
    with pytest.raises(Flawed, match="a: is of type bytes, must be a number"):
        from_plain({"a": b""}, Struct)
    with pytest.raises(Flawed, match="a: is not a finite number"):
        from_plain({"a": 10**400}, Struct)
    with pytest.raises(Flawed, match=r"^1: is unknown; must be one of stage, minimum_score$"):
        from_plain({1: 1}, scoring_pb2.Stage)
    with pytest.raises(Flawed, match="is not UTF-8"):
        from_plain({"\ud800": 1}, Struct)
