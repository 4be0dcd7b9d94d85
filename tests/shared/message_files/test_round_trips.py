"""Every message and every JSON value survives being written and read again."""

import math
from pathlib import Path
from typing import Any

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

from shared.message_files.messages import from_plain, to_plain
from shared.message_files.yaml_text import MAX_BYTES, read_yaml, write_yaml
from tests.e2e.fuzz import messages
from tests.shared.message_files.flaws import read

EXAMPLES = [Path(__file__).parents[3] / "docs" / "examples" / name for name in ("b2b.yaml", "bpic2012.yaml")]


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


def writable(message: Any) -> Any:
    """Returns a message without the values that no document can express, such as unnamed enum numbers and infinity."""
    for field, value in message.ListFields():
        if field.message_type and not field.message_type.GetOptions().map_entry:
            for inner in value if field.is_repeated else [value]:
                _make_writable(inner)
        elif field.enum_type and value not in field.enum_type.values_by_number:
            message.ClearField(field.name)
        elif field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE and not math.isfinite(value):
            setattr(message, field.name, 0.0)
    return message


def _make_writable(inner: Any) -> None:
    match inner.DESCRIPTOR.name:
        case "Timestamp":
            inner.CopyFrom(Timestamp(seconds=inner.seconds % 10**9, nanos=inner.nanos % 10**9))
        case "Duration":
            inner.CopyFrom(Duration(seconds=abs(inner.seconds) % 10**9, nanos=abs(inner.nanos) % 10**9))
        case "Struct":
            for value in inner.fields.values():
                _make_writable(value)
        case "Value" if inner.WhichOneof("kind") in {None, "null_value"}:
            inner.null_value = 0
        case _:
            writable(inner)


@pytest.mark.parametrize("message_type", TYPES, ids=lambda each: each.DESCRIPTOR.name)
def test_a_message_survives_being_written_and_read(message_type: type[Message]) -> None:
    descriptor: Any = message_type.DESCRIPTOR

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(messages(descriptor).map(writable))
    def comes_back(message: Message) -> None:
        found = read(lambda: from_plain(to_plain(message), message_type))
        assert found == message
        text = write_yaml(message)
        if len(text.encode()) <= MAX_BYTES:
            assert read_yaml(text, message_type) == message

    comes_back()


@given(st.dictionaries(st.text(), values, max_size=5))
def test_any_json_object_survives_being_written_and_read(fields: dict[str, Any]) -> None:
    struct = from_plain(fields, Struct)
    assert to_plain(struct) == fields
    assert read_yaml(write_yaml(struct), Struct) == struct


@given(values)
def test_any_json_value_is_refused_or_survives_being_written_and_read(data: Any) -> None:
    model = read(lambda: from_plain(data, ScoringModel))
    assert model is None or from_plain(to_plain(model), ScoringModel) == model


@given(st.text() | st.binary() | st.text("[]{}:,-&*!|>?%@'\"# \n\tab1", max_size=60))
def test_any_text_is_refused_or_survives_being_written_and_read(text: str | bytes) -> None:
    struct = read(lambda: read_yaml(text, Struct))
    assert struct is None or read_yaml(write_yaml(struct), Struct) == struct


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_the_example_files_are_scoring_models(example: Path) -> None:
    model = read_yaml(example.read_bytes(), ScoringModel)
    assert model.rules
    assert read_yaml(write_yaml(model), ScoringModel) == model


@given(times, lengths)
def test_times_and_durations_keep_their_nanoseconds(instant: Timestamp, length: Duration) -> None:
    model = ScoringModel(create_time=instant, velocity=scoring_pb2.Velocity(window=length))
    assert read_yaml(write_yaml(model), ScoringModel) == model
