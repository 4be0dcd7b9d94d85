"""Converts protobuf messages to plain values and back: dictionaries, lists, strings and numbers, as in YAML and BSON.

Guarantee: the descriptor of a message alone decides which values are valid. Invalid values are refused, and every
mistake is reported with its path; nothing is guessed or coerced. A message that was read from plain values is written
to plain values that read back as an equal message.

Fields have their names in the proto, or their `json_name` where one is set. Enum values are lower case without their
prefix, durations are texts such as `1d12h`, and times are RFC 3339. Fields that are unset or have their proto3 default
are left out.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple, NoReturn, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from shared.message_files import durations
from shared.message_files.scalars import (
    from_number,
    from_scalar,
    kind_of,
    to_duration,
    to_number,
    to_scalar,
    to_text,
    to_timestamp,
)

MAX_LEVELS = 32
"""The maximum nesting of lists and mappings. Every protobuf parser accepts messages within this limit."""

M = TypeVar("M", bound=Message)


class Flaw(NamedTuple):
    """A mistake: its path, such as `rules[3].points` (empty for the whole message), and what is wrong, for people."""

    path: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}" if self.path else self.sentence


class Flawed(ValueError):
    """Plain values do not describe a message. `flaws` lists all mistakes, at least one; the text has one per line."""

    def __init__(self, flaws: Iterable[Flaw]) -> None:
        self.flaws = tuple(flaws)
        super().__init__("\n".join(map(str, self.flaws)))


def from_plain(data: object, message_type: type[M], path: str = "") -> M:
    """Returns the message that plain values describe. None means that a field is not set. `path` is the path of `data`.

    Raises:
        Flawed: The values do not describe a message of this type.
    """
    message, reader = message_type(), _Reader()
    reader.read(message, data, path, 1)
    if reader.flaws:
        raise Flawed(reader.flaws)
    return message


def to_plain(message: Message) -> dict[str, Any]:
    """Returns the plain values of a message, in the order of the field numbers.

    Raises:
        ValueError: The message holds a time outside the years 1 to 9999.
    """
    plain: dict[str, Any] = _plain(message)
    return plain


class _Reader:
    """Fills messages, and collects all mistakes instead of stopping at the first."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []

    def read(self, target: Message, data: object, path: str, level: int) -> None:
        """Fills a message. `level` is the nesting depth of its values in lists and mappings, counted from 1."""
        try:
            if level > MAX_LEVELS and isinstance(data, list | Mapping):
                _refuse(f"is nested deeper than {MAX_LEVELS} levels")
            read = _READERS.get(target.DESCRIPTOR.full_name, _Reader.fields)
            read(self, target, data, path, level)
        except ValueError as flaw:
            self.flaws.append(Flaw(path, str(flaw)))

    def fields(self, target: Message, data: object, path: str, level: int) -> None:
        known, given = _known(target.DESCRIPTOR), dict[str, str]()
        for key, value in _mapping(data).items():
            inner_path = _inside(path, key)
            try:
                field = known.get(key) or _refuse_unknown(str(key), known)
                if value is None and not _is_value(field):
                    continue
                choice = field.containing_oneof.name if field.containing_oneof else field.name
                if given.setdefault(choice, key) != key:
                    _refuse(f"cannot be given together with {given[choice]}")
                self.field(target, field, value, inner_path, level)
            except ValueError as flaw:
                self.flaws.append(Flaw(inner_path, str(flaw)))

    def field(self, target: Message, field: FieldDescriptor, value: object, path: str, level: int) -> None:
        if entry := _entry_of(field):
            self.entries(getattr(target, field.name), entry, _mapping(value), path, level + 1)
        elif field.is_repeated:
            self.items(getattr(target, field.name), field, _list(value), path, level + 1)
        elif field.message_type:
            inner = getattr(target, field.name)
            inner.SetInParent()
            self.read(inner, value, path, level + 1)
        else:
            setattr(target, field.name, to_scalar(field, value))

    def entries(self, entries: Any, value: FieldDescriptor, data: Mapping[Any, object], path: str, level: int) -> None:  # noqa: ANN401 (protobuf's two kinds of maps)
        for key, item in data.items():
            inner_path = _inside(path, key)
            try:
                if value.message_type:
                    self.read(entries[to_text(key)], item, inner_path, level + 1)
                else:
                    entries[to_text(key)] = to_scalar(value, item)
            except ValueError as flaw:
                self.flaws.append(Flaw(inner_path, str(flaw)))

    def items(self, items: Any, field: FieldDescriptor, values: list[object], path: str, level: int) -> None:  # noqa: ANN401 (protobuf's two kinds of lists)
        for index, value in enumerate(values):
            inner_path = f"{path}[{index}]"
            try:
                if field.message_type:
                    self.read(items.add(), value, inner_path, level + 1)
                else:
                    items.append(to_scalar(field, value))
            except ValueError as flaw:
                self.flaws.append(Flaw(inner_path, str(flaw)))

    def value(self, target: Value, data: object, path: str, level: int) -> None:
        match data:
            case None:
                target.null_value = NULL_VALUE
            case bool():
                target.bool_value = data
            case str():
                target.string_value = to_text(data)
            case list():
                target.list_value.SetInParent()
                self.list_value(target.list_value, data, path, level)
            case Mapping():
                target.struct_value.SetInParent()
                self.struct(target.struct_value, data, path, level)
            case _:
                target.number_value = to_number(data)

    def list_value(self, target: ListValue, data: object, path: str, level: int) -> None:
        for index, item in enumerate(_list(data)):
            self.read(target.values.add(), item, f"{path}[{index}]", level + 1)

    def struct(self, target: Struct, data: object, path: str, level: int) -> None:
        for key, item in _mapping(data).items():
            self.read(target.fields[to_text(key)], item, _inside(path, key), level + 1)


def _copied(convert: Callable[[object], Message]) -> Callable[..., None]:
    return lambda _, target, data, *__: target.CopyFrom(convert(data))


_READERS: Mapping[str, Callable[..., None]] = {
    "google.protobuf.Value": _Reader.value,
    "google.protobuf.ListValue": _Reader.list_value,
    "google.protobuf.Struct": _Reader.struct,
    "google.protobuf.Duration": _copied(to_duration),
    "google.protobuf.Timestamp": _copied(to_timestamp),
}
_WRITERS: Mapping[str, Callable[[Any], Any]] = {
    "google.protobuf.Value": lambda value: _plain_value(value),
    "google.protobuf.ListValue": lambda values: [_plain_value(each) for each in values.values],
    "google.protobuf.Struct": lambda struct: {key: _plain_value(each) for key, each in struct.fields.items()},
    "google.protobuf.Duration": durations.to_text,
    "google.protobuf.Timestamp": Timestamp.ToJsonString,
}


def _plain(message: Message) -> Any:  # noqa: ANN401 (a Duration becomes text, a Value anything)
    if write := _WRITERS.get(message.DESCRIPTOR.full_name):
        return write(message)
    return {_name(field): _plain_field(field, value) for field, value in message.ListFields()}


def _plain_field(field: FieldDescriptor, value: Any) -> Any:  # noqa: ANN401 (depends on the field)
    if entry := _entry_of(field):
        return {key: _plain_item(entry, each) for key, each in value.items()}
    return [_plain_item(field, each) for each in value] if field.is_repeated else _plain_item(field, value)


def _plain_item(field: FieldDescriptor, value: Any) -> Any:  # noqa: ANN401 (depends on the field)
    return _plain(value) if field.message_type else from_scalar(field, value)


def _plain_value(value: Value) -> object:
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    if kind == "number_value":
        return from_number(value.number_value)
    inner = getattr(value, kind)
    return _plain(inner) if isinstance(inner, Message) else inner


@cache
def _known(descriptor: Descriptor) -> Mapping[str, FieldDescriptor]:
    """Returns the fields of a message by each of their names."""
    return {name: field for field in descriptor.fields for name in (field.name, _name(field))}


@cache
def _name(field: FieldDescriptor) -> str:
    """Returns the `json_name` of a field if it was set in the proto, else the field's name."""
    first, *others = field.name.split("_")
    derived = first + "".join(part[:1].upper() + part[1:] for part in others)
    return field.name if field.json_name == derived else field.json_name


@cache
def _entry_of(field: FieldDescriptor) -> FieldDescriptor | None:
    """Returns the field that describes the values of a map; None for a field that is not a map. Keys are strings."""
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    return field.message_type.fields_by_name["value"] if is_map and field.message_type else None


def _is_value(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == "google.protobuf.Value"


def _inside(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _mapping(data: object) -> Mapping[Any, object]:
    return data if isinstance(data, Mapping) else _refuse(f"is {kind_of(data)}, must be a mapping")


def _list(data: object) -> list[object]:
    return data if isinstance(data, list) else _refuse(f"is {kind_of(data)}, must be a list")


def _refuse_unknown(key: str, known: Iterable[str]) -> NoReturn:
    nearest = difflib.get_close_matches(key, known, 1)
    _refuse(f"is unknown; did you mean {nearest[0]}?" if nearest else f"is unknown; must be one of {', '.join(known)}")


def _refuse(sentence: str) -> NoReturn:
    raise ValueError(sentence)
