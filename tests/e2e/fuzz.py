"""Generates messages of any type from its descriptor: extremes, unknown enums, invalid times, naughty strings."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.e2e.naughty import NAUGHTY

T = TypeVar("T")
Place: TypeAlias = tuple[FieldDescriptor, ...]
"""The path of fields from a message to a nested one."""

REPEATED, DEPTH = 5, 6
YEAR_1, YEAR_10000 = -62_135_596_800, 253_402_300_800


def _integers(bits: int, *, signed: bool = True) -> SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.one_of(st.integers(max(low, -1), 100), st.sampled_from([low, high, high - 1]), st.integers(low, high))


_SCALARS: dict[int, SearchStrategy[Any]] = {
    FieldDescriptor.CPPTYPE_INT32: _integers(32),
    FieldDescriptor.CPPTYPE_INT64: _integers(64),
    FieldDescriptor.CPPTYPE_UINT32: _integers(32, signed=False),
    FieldDescriptor.CPPTYPE_UINT64: _integers(64, signed=False),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats() | st.integers(-5, 5),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
}


def messages(descriptor: Descriptor, words: Sequence[str] = ("",), depth: int = DEPTH) -> SearchStrategy[Any]:
    """Returns a strategy for messages of a type with some fields set; `words` are meaningful strings."""
    if descriptor.full_name == "google.protobuf.Timestamp":
        return _timestamps()
    some = {each.name: _field(each, words, depth) for each in descriptor.fields if depth or not each.message_type}
    found = st.fixed_dictionaries({}, optional=some).map(lambda values: GetMessageClass(descriptor)(**values))
    return found | st.integers(0, 10).map(_deep) if descriptor.full_name == "google.protobuf.Struct" else found


def string_places(descriptor: Descriptor, seen: Place = ()) -> Iterator[Place]:
    """Yields the path of every string field in a type; enters a recursive type only once."""
    for field in descriptor.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            yield (*seen, field)
        elif field.message_type and field not in seen:
            yield from string_places(field.message_type, (*seen, field))


def put(message: Any, place: Place, text: str) -> None:
    """Sets the string at a path; appends it to a list of strings, and uses the first message of a list of messages."""
    (field, *rest) = place
    inner = getattr(message, field.name)
    if entry := _entry(field):
        if rest[1:]:
            put(inner["key"], tuple(rest[1:]), text)
        elif entry.fields_by_name["value"].message_type:
            inner[text].SetInParent()
        else:
            inner.update({text: "value"} if rest[0].name == "key" else {"key": text})
    elif rest:
        put((inner[0] if inner else inner.add()) if field.is_repeated else inner, tuple(rest), text)
    elif field.is_repeated:
        inner.append(text)
    else:
        setattr(message, field.name, text)


def drawn(strategy: SearchStrategy[T], count: int, number: int) -> list[T]:
    """Returns seeded examples of a strategy, for tests that hypothesis cannot call, such as async ones."""
    found: list[T] = []

    @seed(number)
    @settings(max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found


def _entry(field: FieldDescriptor) -> Descriptor | None:
    return field.message_type if field.message_type and field.message_type.GetOptions().map_entry else None


def _field(field: FieldDescriptor, words: Sequence[str], depth: int) -> SearchStrategy[Any]:
    if entry := _entry(field):
        return st.dictionaries(*(_one(each, words, depth - 1) for each in entry.fields), max_size=REPEATED)
    one = _one(field, words, depth - 1)
    return st.lists(one, max_size=REPEATED) if field.is_repeated else one


def _one(field: FieldDescriptor, words: Sequence[str], depth: int) -> SearchStrategy[Any]:
    if message_type := field.message_type:
        return st.deferred(lambda: messages(message_type, words, max(depth, 0)))
    if field.enum_type:
        return st.sampled_from([*field.enum_type.values_by_number, -1, 99, 2**31 - 1, -(2**31)])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=300)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.one_of(st.sampled_from(words), st.sampled_from(NAUGHTY), st.text(max_size=20))
    return _SCALARS[field.cpp_type]


def _timestamps() -> SearchStrategy[Any]:
    edges = (YEAR_1 - 1, YEAR_1, -1, 0, YEAR_10000 - 1, YEAR_10000, -(2**63), 2**63 - 1)
    likely = st.integers(-60 * 86_400, 2 * 86_400).map(lambda since: int(time.time()) + since)
    seconds = st.one_of(likely, likely, st.sampled_from(edges), st.integers(0, YEAR_10000))
    return st.builds(Timestamp, seconds=seconds, nanos=st.just(0) | st.integers(0, 999_999_999) | _integers(32))


def _deep(levels: int) -> Struct:
    value = Value(string_value="bottom")
    for _ in range(levels):
        value = Value(list_value=ListValue(values=[Value(struct_value=Struct(fields={"a": value}))]))
    return Struct(fields={"deep": value})
