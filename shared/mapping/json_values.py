"""Values of records: as text such as ids, as objects, and as the properties of an event."""

import re
from decimal import Decimal

from google.protobuf.struct_pb2 import NULL_VALUE, Value

from shared.mapping.exact_json import DECODER, json_flaw

MAX_LEVELS = 20
"""Maximum nesting of properties. Protobuf cannot parse much deeper ones, and would reject their whole batch."""
INEXACT_FROM = 2**53
"""Numbers of this magnitude and more become text, because a double can change their last digits."""

_INTEGER = re.compile(r"-?[0-9]{1,19}\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,309}(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?\Z")


def to_text(value: object) -> str | None:
    """Returns text or a number as text; None for an empty value.

    Raises:
        ValueError: The value is neither. The text is a sentence without its subject.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise ValueError("is not text")


def from_json(value: object) -> object:
    """Returns the value that text contains as JSON, with its numbers as in a record; other values stay as they are.

    Raises:
        ValueError: The text is not JSON.
    """
    if not isinstance(value, str):
        return value
    try:
        return DECODER.decode(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(json_flaw(error)) from None


def to_object(pairs: object) -> dict[str, object]:
    """Returns a list of objects with a `key` and a `value` as one object.

    Raises:
        ValueError: The value is not such a list.
    """
    if not isinstance(pairs, list) or not all(isinstance(pair, dict) and "key" in pair for pair in pairs):
        raise ValueError("is not a list of keys and values")
    return {str(pair["key"]): _set_field(pair.get("value")) for pair in pairs}


def set_property(target: Value, value: object, levels: int = MAX_LEVELS) -> None:
    """Sets a property of an event to a value of a record.

    Assigning the fields of the message one by one takes half the time of giving protobuf a dictionary.

    Raises:
        ValueError: The value is nested deeper than `levels`, or is not text in UTF-8.
    """
    if isinstance(value, str):
        target.string_value = value
    elif value is None:
        target.null_value = NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | Decimal | float):
        _set_number(target, value)
    else:
        _set_members(target, value, levels)


def _set_number(target: Value, value: float | Decimal) -> None:
    if -INEXACT_FROM < value < INEXACT_FROM:
        target.number_value = float(value)
    else:
        target.string_value = str(value)


def _set_members(target: Value, value: object, levels: int) -> None:
    if levels == 0:
        raise ValueError(f"is nested deeper than {MAX_LEVELS} levels")
    if isinstance(value, dict):
        target.struct_value.SetInParent()
        fields = target.struct_value.fields
        for name, member in value.items():
            set_property(fields[name], member, levels - 1)
    elif isinstance(value, list):
        target.list_value.SetInParent()
        for item in value:
            set_property(target.list_value.values.add(), item, levels - 1)
    else:
        raise ValueError(f"is of the type {type(value).__name__}, which JSON does not have")  # noqa: TRY004


def _set_field(value: object) -> object:
    """Returns the field of an object that is set; other values stay as they are."""
    if not isinstance(value, dict):
        return value
    name, found = next(((name, each) for name, each in value.items() if each is not None), ("", None))
    if not isinstance(found, str):
        return found
    if name.startswith("int") and _INTEGER.match(found):
        return int(found)
    return Decimal(found) if name.startswith(("float", "double")) and _DECIMAL.match(found) else found
