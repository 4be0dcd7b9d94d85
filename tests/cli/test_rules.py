"""Rules from a file to the service and back: YAML or JSON, all of a file or nothing of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson
from leadscore.automation.v1 import automation_pb2 as pb

from cli.automation.rule_files import MAX_BYTES, read_rules, to_text
from cli.terminal.connection import CommandError
from shared.message_files.messages import Flawed
from tests.cli.servicer import Run, Services, json_of, serving

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "rules.yaml"
CALL = """
rule_id: call
enabled: true
trigger:
  score_crossed: {threshold: 60, direction: upward}
"""


@pytest.fixture
def system() -> Iterator[tuple[Services, Run]]:
    with serving(automation=True) as found:
        yield found


def rules_of(text: str | bytes) -> list[pb.AutomationRule]:
    return [each.rule for each in read_rules(text if isinstance(text, bytes) else text.encode())]


def flaws_of(text: str | bytes) -> list[str]:
    with pytest.raises(Flawed) as caught:
        rules_of(text)
    return list(map(str, caught.value.flaws))


def details_of(run: Run, text: str, *options: str) -> tuple[str, ...]:
    """Returns the mistakes for which a file is refused."""
    error = run("rules", "add", "-f", "-", *options, input=text).exception
    assert isinstance(error, CommandError)
    return error.details


def test_the_example_reads_as_what_it_says() -> None:
    notify, call, engage = rules_of(EXAMPLE.read_bytes())
    assert notify.trigger.score_crossed == pb.ScoreCrossed(threshold=60, direction=pb.DIRECTION_UPWARD)
    assert notify.actions[0].preset == pb.PRESET_NOTIFY_SALES
    size, country = call.conditions.attributes
    assert (size.attribute, size.operator, size.values[0].number_value) == ("company_size", pb.OPERATOR_AT_LEAST, 250)
    assert [each.string_value for each in country.values] == ["AT", "CH", "DE"]
    assert country.operator == pb.OPERATOR_IN
    assert engage.conditions.attributes[0].operator == pb.OPERATOR_EXISTS
    assert [each.enabled for each in (notify, call, engage)] == [True, True, False]


def test_shown_rules_are_accepted_unchanged(system: tuple[Services, Run]) -> None:
    service, run = system
    assert run("rules", "add", "-f", EXAMPLE).exit_code == 0
    for stored in list(service.automation.rules.values()):
        text = run("rules", "show", stored.rule_id).stdout
        assert "whsec_" not in text
        assert run("rules", "add", "--replace", "-f", "-", input=text).exit_code == 0
        assert service.automation.rules[stored.rule_id] == stored
        assert run("rules", "show", stored.rule_id).stdout == text


def test_how_a_rule_is_shown() -> None:
    (rule,) = rules_of(CALL + "conditions: {attributes: [{property: plan, in: [pro, team]}]}")
    rule.revision = 3
    assert to_text(rule).splitlines() == [
        "# revision 3, changed –",
        "rule_id: call",
        "enabled: true",
        "trigger:",
        "  score_crossed:",
        "    threshold: 60",
        "    direction: upward",
        "conditions:",
        "  attributes:",
        "  - {property: plan, in: [pro, team]}",
    ]


def test_what_a_model_cannot_say_is_shown_in_the_words_of_the_proto() -> None:
    rule = pb.AutomationRule(rule_id="a")
    rule.conditions.attributes.add(attribute="lucky", operator=pb.OPERATOR_CONTAINS).values.add(number_value=7)
    text = to_text(rule)
    assert "{attribute: lucky, operator: contains, values: [7]}" in text
    assert rules_of(text) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "rule_id: a\n---\nrule_id: b",
        "---\nrules: [{rule_id: a}]\n---\n# nothing\n---\nrule_id: b",
        "rules: [{rule_id: a}, {rule_id: b}]",
        '[{"rule_id": "a"}, {"ruleId": "b"}]',
        '{"rules":\t[{"rule_id": "a"}, {"rule_id": "b"}]}',
    ],
)
def test_a_file_may_hold_several_rules(text: str) -> None:
    assert [rule.rule_id for rule in rules_of(text)] == ["a", "b"]


def test_the_json_of_the_proto_is_accepted() -> None:
    for rule in rules_of(EXAMPLE.read_bytes()):
        assert rules_of(MessageToJson(rule)) == [rule]
        assert rules_of(MessageToJson(rule, preserving_proto_field_name=True, indent=None)) == [rule]


def test_json_may_use_the_short_words() -> None:
    assert rules_of(json.dumps({"rule_id": "a", "conditions": {"risk": "low"}}))[0].conditions.risk == pb.RISK_LOW


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("rule_id: a\ntriger: {}", "line 2, triger: is unknown; "),
        (CALL.replace("threshold", "treshold"), "line 5, trigger.score_crossed.treshold: is unknown; "),
        (CALL.replace("upward", "up"), "line 5, trigger.score_crossed.direction: is 'up', must be upward or downward"),
        ("rules:\n- rule_id: a\n- rule_id: b\n  actions: 3", "line 4, rules[1].actions: is a number, must be a list"),
        ("conditions: {attributes: [{property: a, atleast: 3}]}", "conditions.attributes[0].atleast: is unknown; "),
        ("conditions: {attributes: [{property: a, at_least: x}]}", "attributes[0].at_least: is text, must be a number"),
        ("conditions: {attributes: [{property: a}]}", "line 1, conditions.attributes[0]: has no comparison"),
        ("rules: []\nrule_id: a", "line 2, rule_id: is not allowed beside rules"),
        ("rule_id: a\nactions:\n\t- x", "line 3, column 1: is indented with a tab; use spaces"),
        ("rule_id: a\nrule_id: b", "line 2, column 1: 'rule_id' is given twice"),
        ('{"rule_id": "a", "rule_id": "b"}', "'rule_id' is given twice"),
        (b"x" * 10_000_000, f"is larger than {MAX_BYTES:,} bytes"),
        (b"\xff", "is not UTF-8"),
        ("", "holds no rule"),
        ("rules: []", "holds no rule"),
        ("5", "line 1: is a number, must be a mapping"),
        ("[true]", "line 1, [0]: is true or false, must be a mapping"),
        ("{", "line 2"),
        ("[" * 100_000, "nest"),
    ],
)
def test_a_mistake_is_reported_with_its_line_and_path(text: str | bytes, flaw: str) -> None:
    (found,) = flaws_of(text)
    assert flaw in found


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("triger: {}", "trigger"),
        ("trigger: {stage_entred: {}}", "stage_entered"),
        ("conditions: {attributes: [{propery: a, equals: 1}]}", "property"),
        ("actions: [{slak: {}}]", "slack"),
    ],
)
def test_the_nearest_word_is_named(text: str, word: str) -> None:
    assert any(word in flaw.rpartition(":")[2] for flaw in flaws_of(text))


def test_an_alias_bomb_is_refused_before_it_expands(system: tuple[Services, Run]) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n}, ' * 9}]\n" for n in range(9))
    service, run = system
    details = details_of(run, bomb)
    assert details[0] == "line 1, column 5: anchors and aliases are not allowed"
    assert details[-1] == "and 71 more"
    assert not service.automation.rules


def test_two_rules_with_one_id_are_refused(system: tuple[Services, Run]) -> None:
    service, run = system
    (detail,) = details_of(run, "rule_id: a\n---\nrule_id: b\n---\nrule_id: a")
    assert detail == "line 5, rule_id: 'a' is the id of another rule of this file, at line 1, rule_id"
    assert not service.automation.rules


@pytest.mark.parametrize("flawed", ["tresholds: 1", "trigger: {stage_entered: {stages: [hot, tepid]}}"])
def test_a_file_with_one_refused_rule_adds_nothing(system: tuple[Services, Run], flawed: str) -> None:
    service, run = system
    (detail,) = details_of(run, f"{CALL}---\nrules:\n- rule_id: b\n  {flawed}")
    assert detail.startswith(f"line 9, rules[0].{flawed.partition(':')[0]}")
    assert not service.automation.rules


def test_a_mistake_that_the_service_finds_has_its_line_and_path(system: tuple[Services, Run]) -> None:
    _, run = system
    text = "rule_id: a\ntrigger:\n  stage_entered:\n    stages:\n    - hot\n    - tepid"
    assert details_of(run, text) == ("line 6, trigger.stage_entered.stages[1]: 'tepid' is not a stage of the model",)


def test_a_rule_that_exists_is_replaced_only_if_asked(system: tuple[Services, Run]) -> None:
    service, run = system
    assert run("rules", "add", "-f", "-", input=CALL).stderr == "created: call\n"
    text = f"rule_id: new\n---{CALL.replace('60', '70')}"
    assert details_of(run, text) == ("line 3, rule_id: 'call' exists already; --replace replaces it",)
    assert set(service.automation.rules) == {"call"}
    assert run("rules", "add", "--replace", "-f", "-", input=text).stderr == "created: new (disabled)\nreplaced: call\n"
    assert service.automation.rules["call"].trigger.score_crossed.threshold == 70


def test_a_rule_can_be_shown_as_json(system: tuple[Services, Run]) -> None:
    _, run = system
    run("rules", "add", "-f", "-", input=CALL)
    shown = run("rules", "show", "call", "--json")
    assert json_of(shown)[0]["rule_id"] == "call"
    assert run("rules", "add", "--replace", "-f", "-", input=shown.stdout).exit_code == 0
    assert "RULE_NOT_FOUND" in str(run("rules", "show", "none").exception)


def test_the_rule_in_the_documentation_is_accepted() -> None:
    page = (EXAMPLE.parents[1] / "automations.md").read_text()
    (rule,) = rules_of(page.partition("```yaml\n")[2].partition("```")[0])
    assert rule.conditions.attributes[0].attribute == "company_size"


def test_all_executions_in_a_state_are_retried_page_by_page() -> None:
    with serving(automation=True) as (service, run):
        options = ("--rule", "call", "--state", "failed", "--since", "2026-11-20")
        result = run("executions", "retry", *options)
        counts = json_of(run("executions", "retry", *options, "--json"))
    first = service.automation.requests[0]
    assert (first.rule_id, first.state, first.HasField("until_time")) == ("call", pb.EXECUTION_STATE_FAILED, False)
    assert [each.page_token for each in service.automation.requests[:3]] == ["", "500", "1000"]
    assert "998 executions will be delivered again; 3 had nothing to retry" in result.stdout
    assert counts == [{"retried_count": 998, "skipped_count": 3}]


@pytest.mark.parametrize(
    "arguments", [(), ("x-1", "--state", "failed"), ("x-1", "--rule", "call"), ("--rule", "call"), ("--state", "lost")]
)
def test_a_retry_names_an_execution_or_a_state(arguments: tuple[str, ...]) -> None:
    with serving(automation=True) as (service, run):
        assert isinstance(run("executions", "retry", *arguments).exception, CommandError)
    assert not service.automation.requests


def test_executions_are_listed_to_the_end_on_request() -> None:
    with serving(automation=True) as (_, run):
        some, every = run("executions", "list", "--json"), run("executions", "list", "--json", "--all")
        assert "there are more than these 50; --all prints all of them" in some.stderr
    assert [len(json_of(each)) for each in (some, every)] == [50, 1001]
    assert "there are more" not in every.stderr


def test_a_rule_says_that_it_fires_per_event() -> None:
    [written] = read_rules((CALL + "per: event\n").encode())
    assert written.rule.per == pb.PER_EVENT
    assert "per: event\n" in to_text(written.rule)
    assert "per" not in to_text(pb.AutomationRule(rule_id="call", enabled=True)).split("\n", 1)[1]
