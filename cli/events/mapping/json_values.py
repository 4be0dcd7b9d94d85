"""Values of records: as ids and other texts, as objects, and as the properties of an event."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

from cli.events.files.json_values import DECODER, json_flaw

MAX_LEVELS = 20
"""Maximum nesting of properties. Protobuf cannot parse much deeper ones, and would reject their whole batch."""
EXACT = 2**53
"""Numbers of this magnitude and more become texts, because a double can change their last digits."""

_INTEGER = re.compile(r"-?[0-9]{1,19}\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,309}(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?\Z")


def to_text(value: object) -> str | None:
    """Returns a text or a number as text; None for an empty value.

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
    """Returns the value that a text holds as JSON, with its numbers as in a record; other values stay as they are.

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


def to_property(value: object, levels: int = MAX_LEVELS) -> object:
    """Returns a value as a property, which protobuf can hold.

    Raises:
        ValueError: It is nested deeper than `levels`.
    """
    convert = _CONVERT.get(type(value))
    if convert is not None:
        return convert(value)
    if levels == 0 and isinstance(value, dict | list):
        raise ValueError(f"is nested deeper than {MAX_LEVELS} levels")
    if isinstance(value, Mapping):
        return {name: to_property(item, levels - 1) for name, item in value.items()}
    if isinstance(value, list):
        return [to_property(item, levels - 1) for item in value]
    return value.isoformat() if isinstance(value, date) else str(value)


def _as_is(value: object) -> object:
    return value


def _whole(value: int) -> int | str:
    return value if -EXACT < value < EXACT else str(value)


def _decimal(value: Decimal) -> float | str:
    return float(value) if -EXACT < value < EXACT else str(value)


_CONVERT: dict[type, Callable[..., object]] = {
    str: _as_is,
    bool: _as_is,
    type(None): _as_is,
    float: _as_is,
    int: _whole,
    Decimal: _decimal,
}


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
