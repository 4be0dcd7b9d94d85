"""Converts single values of protobuf fields to plain strings, numbers and booleans, and back.

Guarantee: types are strict (true is not a number, 1.0 is not a whole number, 7 is not text), so an accepted value is
what its author meant, and it reads back as an equal value. Every error message is a sentence without its subject, such
as `is a number, must be text`.
"""

import math
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NoReturn

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from shared.message_files import durations

INEXACT_FROM = 2**53
"""Whole numbers below this magnitude are written as integers, not as floats."""

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_SHOWN_CHARACTERS = 40


def to_scalar(field: FieldDescriptor, value: object) -> Any:  # noqa: ANN401 (depends on the field)
    """Returns the value of a field for a plain value. The field is neither a message nor bytes.

    Raises:
        ValueError: The field does not accept the value.
    """
    if field.enum_type:
        return _choice(value, _numbers(field.enum_type))
    if field.cpp_type in _RANGES:
        return _whole(value, *_RANGES[field.cpp_type])
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return value if isinstance(value, bool) else _refuse(value, "true or false")
    return to_number(value) if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE else to_text(value)


def from_scalar(field: FieldDescriptor, value: Any) -> Any:  # noqa: ANN401 (depends on the field)
    """Returns the plain value for the value of such a field. An unknown enum value remains a number."""
    if field.enum_type:
        names = {number: name for name, number in _numbers(field.enum_type).items()}
        return names.get(value, value)
    return from_number(value) if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE else value


def to_text(value: object) -> str:
    """Returns a text that protobuf accepts.

    Raises:
        ValueError: The value is not text, or cannot be encoded as UTF-8.
    """
    if not isinstance(value, str):
        _refuse(value, "text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8") from None
    return value


def to_number(value: object) -> float:
    """Returns a finite number.

    Raises:
        ValueError: The value is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(value, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("is not a finite number")
    return number


def from_number(number: float) -> int | float:
    """Returns a number as people write it: 250, not 250.0."""
    whole = abs(number) < INEXACT_FROM and number.is_integer() and (number or math.copysign(1, number) > 0)
    return int(number) if whole else number


def to_duration(value: object) -> Duration:
    """Returns a duration from its text.

    Raises:
        ValueError: The value is not the text of a duration.
    """
    return (
        durations.to_duration(value)
        if isinstance(value, str)
        else _refuse(value, f"a duration such as {durations.EXAMPLE}")
    )


def to_timestamp(value: object) -> Timestamp:
    """Returns a time from its RFC 3339 text.

    Raises:
        ValueError: The value is not the text of a time.
    """
    found = Timestamp()
    try:
        found.FromJsonString(to_text(value))
    except ValueError:
        raise ValueError("must be a time such as 2026-01-31T12:00:00Z") from None
    return found


def kind_of(value: object) -> str:
    """Returns the type of a plain value in the words of error messages."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case Mapping():
            return "a mapping"
        case _:
            return f"of type {type(value).__name__}"


def shown(text: str) -> str:
    """Returns a user's text for an error message: quoted, and cut if it is long."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")


def _whole(value: object, low: int, high: int) -> int:
    if isinstance(value, float):
        raise ValueError(f"is {value}, must be a whole number")  # noqa: TRY004 (a mistake in the data)
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(value, "a whole number")
    if not low <= value <= high:
        raise ValueError(f"must be {low} to {high}")
    return value


def _choice(value: object, numbers: Mapping[str, int]) -> int:
    valid = _either(name for name, number in numbers.items() if number)
    if not isinstance(value, str):
        _refuse(value, valid)
    if value not in numbers:
        raise ValueError(f"is {shown(value)}, must be {valid}")
    return numbers[value]


def _refuse(value: object, wanted: str) -> NoReturn:
    raise ValueError(f"is {kind_of(value)}, must be {wanted}")


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


@cache
def _numbers(enum: EnumDescriptor) -> Mapping[str, int]:
    """Returns the values of an enum by their plain names: `MODEL_STATE_IN_FORCE` of `ModelState` is `in_force`."""
    prefix = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in enum.name).lstrip("_") + "_"
    return {value.name.removeprefix(prefix).lower(): value.number for value in enum.values}
