"""Documents become messages and back, and what is wrong with one is told: all of it, and where."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leadscore.automation.v1 import automation_pb2
from leadscore.scoring.v1 import scoring_pb2
from leadscore.scoring.v1.scoring_pb2 import ScoringModel

from shared.message_files.messages import MAX_LEVELS, Flawed, from_plain, to_plain
from shared.message_files.yaml_text import MAX_BYTES, read_yaml, write_yaml
from tests.e2e.fuzz import messages

M = TypeVar("M", bound=Message)

EXAMPLES = [Path(__file__).parents[2] / "docs" / "examples" / name for name in ("b2b.yaml", "bpic2012.yaml")]
TYPES: list[type[Message]] = [ScoringModel, automation_pb2.AutomationRule, scoring_pb2.LeadScore]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**53), 2**53)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
times = st.builds(Timestamp, seconds=st.integers(-62_135_596_800, 253_402_300_799), nanos=st.integers(0, 999_999_999))
lengths = st.builds(Duration, seconds=st.integers(0, 315_576_000_000 - 1), nanos=st.integers(0, 999_999_999))


def flaws_of(text: str | bytes, message_type: type[Message] = ScoringModel) -> list[str]:
    with pytest.raises(Flawed) as caught:
        read_yaml(text, message_type)
    return [str(flaw) for flaw in caught.value.flaws]


def read(call: Callable[[], M]) -> M | None:
    """Returns what a call reads, or None when it refuses with at least one flaw: any other exception is a failure."""
    try:
        return call()
    except Flawed as flawed:
        return None if flawed.flaws else pytest.fail("expected flaws")


def sayable(message: Any) -> Any:
    """Returns a message without what no document can say: enum numbers without a name, infinity and the like."""
    for field, value in message.ListFields():
        if field.message_type and not field.message_type.GetOptions().map_entry:
            for inner in value if field.is_repeated else [value]:
                _make_sayable(inner)
        elif field.enum_type and value not in field.enum_type.values_by_number:
            message.ClearField(field.name)
        elif field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE and not math.isfinite(value):
            setattr(message, field.name, 0.0)
    return message


def _make_sayable(inner: Any) -> None:
    match inner.DESCRIPTOR.name:
        case "Timestamp":
            inner.CopyFrom(Timestamp(seconds=inner.seconds % 10**9, nanos=inner.nanos % 10**9))
        case "Duration":
            inner.CopyFrom(Duration(seconds=abs(inner.seconds) % 10**9, nanos=abs(inner.nanos) % 10**9))
        case "Struct":
            for value in inner.fields.values():
                _make_sayable(value)
        case "Value" if inner.WhichOneof("kind") in {None, "null_value"}:
            inner.null_value = 0
        case _:
            sayable(inner)


@pytest.mark.parametrize("message_type", TYPES, ids=lambda each: each.DESCRIPTOR.name)
def test_messages_come_back_equal(message_type: type[Message]) -> None:
    descriptor: Any = message_type.DESCRIPTOR

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(messages(descriptor).map(sayable))
    def comes_back(message: Message) -> None:
        found = read(lambda: from_plain(to_plain(message), message_type))
        assert found == message
        text = write_yaml(message)
        if len(text.encode()) <= MAX_BYTES:
            assert read_yaml(text, message_type) == message

    comes_back()


@given(st.dictionaries(st.text(), values, max_size=5))
def test_any_json_comes_back(fields: dict[str, Any]) -> None:
    struct = from_plain(fields, Struct)
    assert to_plain(struct) == fields
    assert read_yaml(write_yaml(struct), Struct) == struct


@given(values)
def test_a_message_from_any_json_is_refused_or_comes_back(data: Any) -> None:
    model = read(lambda: from_plain(data, ScoringModel))
    assert model is None or from_plain(to_plain(model), ScoringModel) == model


@given(st.text() | st.binary() | st.text("[]{}:,-&*!|>?%@'\"# \n\tab1", max_size=60))
def test_any_text_is_refused_or_read(text: str | bytes) -> None:
    struct = read(lambda: read_yaml(text, Struct))
    assert struct is None or read_yaml(write_yaml(struct), Struct) == struct


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_the_examples_are_models(example: Path) -> None:
    model = read_yaml(example.read_bytes(), ScoringModel)
    assert model.rules
    assert read_yaml(write_yaml(model), ScoringModel) == model


def test_how_a_model_is_written() -> None:
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


def test_a_field_goes_by_its_name_or_its_json_name() -> None:
    by_json_name = read_yaml("{property: x, in: [1]}", scoring_pb2.Condition)
    assert by_json_name == read_yaml("{property: x, one_of: [1]}", scoring_pb2.Condition)
    assert flaws_of("rules: [{ruleId: x}]") == ["rules[0].ruleId: is not known; is rule_id meant?"]
    assert flaws_of("{in: [1], one_of: [1]}", scoring_pb2.Condition) == ["one_of: cannot be given together with in"]


def test_nothing_stands_for_what_is_not_given() -> None:
    assert read_yaml("{rules: , decay: null, display_name: ~, score_floor: 1}", ScoringModel) == ScoringModel(
        score_floor=1
    )


def test_all_mistakes_are_told_with_their_paths() -> None:
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
        "rules[0].pionts: is not known; is points meant?",
        "rules[0].points: is true or false, must be a whole number",
        "rules[0].event_types: is text, must be a list",
        "rules[1].conditions[0].contains: is a number, must be text",
        "rules[1].conditions[1].equals[1].a: is no finite number",
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
        "velocity.window: is a number, must be a span such as 7d, 1d12h, 90m or 10s",
        "risk.idle: is no span of time such as 7d, 1d12h, 90m or 10s",
        "next_actions: is a mapping, must be a list",
        "create_time: must be a time such as 2026-01-31T12:00:00Z",
        "score_floor: is text, must be a whole number",
        "fit: is a number, must be a mapping",
    ]


def test_paths_begin_where_they_are_told_to() -> None:
    with pytest.raises(Flawed, match=r"^model\.rules\[0\]: is text, must be a mapping$"):
        from_plain({"rules": ["x"]}, ScoringModel, "model")


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", "is empty"),
        ("# nothing\n---\n", "is empty"),
        ("[1]", "is a list, must be a mapping"),
        ("model", "is text, must be a mapping"),
        ("a: 1\n--- \nb: 2\n", "line 3: begins a second document"),
        ("score_floor: 1\nscore_floor: 2", "line 2, column 1: 'score_floor' is given twice"),
        ("rules:\n\t- x", "line 2, column 1: is indented with a tab; use spaces"),
        ("a: [1,\n b: {", "line 3, column 1: did not find expected node content"),
        ("? [a]\n: 1", "line 1, column 5: a key must be text"),
        ("a: @x", "line 1, column 4: found character that cannot start any token"),
        ("a: '\x00'", "line 1: control characters are not allowed"),
        ('display_name: "\\ud800"', "found invalid Unicode character escape code"),
        ("\ud800", "is not UTF-8"),
        (b"\xff\xfea", "is not UTF-8"),
        ("display_name: " + "x" * MAX_BYTES, f"is larger than {MAX_BYTES:,} bytes"),
        ("é" * (MAX_BYTES // 2 + 1), "is larger than"),
        ("[" * MAX_BYTES, "nest"),
        ("fit: " * MAX_BYTES, "is larger than"),
        ("- " * (MAX_BYTES // 2), "nested deeper than"),
        ("score_floor: " + "9" * 5000, "score_floor: is inf, must be a whole number"),
        ("score_floor: 0x" + "f" * 50, "score_floor: must be"),
    ],
)
def test_what_is_no_document(text: str | bytes, flaw: str) -> None:
    (told,) = flaws_of(text)
    assert flaw in told


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [echo harm]",
        "!!python/object/new:os.system [echo harm]",
        "a: !!str 1",
        "a: !custom {}",
        "a: ! x",
    ],
)
def test_tags_are_refused_and_build_nothing(text: str) -> None:
    assert any("tags such as" in flaw for flaw in flaws_of(text, Struct))


def test_anchors_are_refused_and_a_billion_laughs_cost_nothing() -> None:
    laughs = "\n".join(["a0: &a0 [lol]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))])
    flaws = flaws_of(laughs, Struct)
    assert flaws[0] == "line 1, column 5: anchors and aliases are not allowed"
    assert len(flaws) == 30 + 29 * 9


def test_what_is_too_large_is_not_parsed() -> None:
    text = "a: [" + "{}," * 3_500_000
    started = time.process_time()
    flaws_of(text)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_the_deepest_document_is_within_protobufs_limits(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    inner = MAX_LEVELS - 6  # around it: the model, its rules, a rule, its conditions, a condition, and a mapping
    text = "rules: [{conditions: [{equals: {a: %s}}]}]"
    model = read_yaml(text % (opening * inner + "1" + closing * inner), ScoringModel)
    assert ScoringModel.FromString(model.SerializeToString()) == model
    assert "nested deeper" in flaws_of(text % (opening * (inner + 1) + "1" + closing * (inner + 1)))[0]
    deep: object = 1
    for _ in range(MAX_LEVELS):
        deep = [deep]
    with pytest.raises(Flawed, match="is nested deeper than 32 levels"):
        from_plain({"a": deep}, Struct)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2026-01-31", "2026-01-31"),
        ("true", True),
        ("FALSE", False),
        ("017", 17.0),
        ("0o17", 15.0),
        ("0x1F", 31.0),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("'1'", "1"),
        ("null", None),
        ("<<", "<<"),
    ],
)
def test_words_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert to_plain(read_yaml(f"a: {text}", Struct)) == {"a": value}


def test_keys_are_the_texts_that_were_written() -> None:
    assert to_plain(read_yaml("{1: a, true: b, null: c, 0x1: d}", Struct)) == {
        "1": "a",
        "true": "b",
        "null": "c",
        "0x1": "d",
    }


@given(times, lengths)
def test_times_and_spans_come_back_to_the_nanosecond(instant: Timestamp, length: Duration) -> None:
    model = ScoringModel(create_time=instant, velocity=scoring_pb2.Velocity(window=length))
    assert read_yaml(write_yaml(model), ScoringModel) == model


def test_plain_values_of_other_kinds_are_refused() -> None:
    with pytest.raises(Flawed, match="a: is of type bytes, must be a number"):
        from_plain({"a": b""}, Struct)
    with pytest.raises(Flawed, match="a: is no finite number"):
        from_plain({"a": 10**400}, Struct)
    with pytest.raises(Flawed, match=r"^1: is not known; known are stage, minimum_score$"):
        from_plain({1: 1}, scoring_pb2.Stage)
    with pytest.raises(Flawed, match="is not UTF-8"):
        from_plain({"\ud800": 1}, Struct)
