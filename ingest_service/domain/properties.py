"""The properties of an event: what is invalid, and what is shortened so that the event is not lost."""

import math
from collections.abc import Mapping
from itertools import repeat
from typing import Any, NamedTuple

from ingest_service.domain.errors import InvalidEvent

MAX_NAME_CHARACTERS = 256
"""Characters in the name of a property, at any level."""
MAX_PROPERTIES = 256
"""Top-level properties."""
MAX_TEXT_BYTES = 8_192
"""Bytes of a text, in UTF-8."""
MAX_LEVELS = 8
"""Levels of nesting; a scalar property is at level 1."""
MAX_BYTES = 65_536
"""Bytes of all properties together: of names and text in UTF-8, and `VALUE_BYTES` for each other value."""
VALUE_BYTES = 8
MAX_NUMBER = 2.0**53
"""From here on, doubles are too far apart for some integers."""

RESERVED_NAME = "$ref"
"""MongoDB drivers decode an object with the keys `$ref` and `$id` as a database reference.

`$ref` is refused even without `$id`, because two `identify` events, each with one of the keys, would combine to such an
object in the lead's attributes.
"""

_UNSTORABLE = math.inf
"""The size of a property that has a name that is too long, or too many levels."""


class Shortening(NamedTuple):
    """What was shortened in an event: the names of the properties whose text was cut, and how many were left out."""

    cut: tuple[str, ...]
    left_out: int


def fitted(properties: Mapping[str, Any]) -> tuple[Mapping[str, Any], Shortening | None]:
    """Validates properties. Returns them as they are to be stored, and what was shortened, if anything.

    Text is cut to `MAX_TEXT_BYTES`, between two characters. Left out are properties that have a name that is too
    long or too many levels and, of the rest in alphabetical order, those beyond `MAX_PROPERTIES`. The result depends on
    the properties alone.

    Raises:
        InvalidEvent: A property is invalid, or they are too large even so.
    """
    if not properties:
        return properties, None
    total = _names_bytes(properties) + sum(map(_value_bytes, properties, properties.values(), repeat(1)))
    if total <= MAX_TEXT_BYTES and len(properties) <= MAX_PROPERTIES:
        return properties, None  # none of its text can be too long
    return _shortened(properties)


def _shortened(properties: Mapping[str, Any]) -> tuple[Mapping[str, Any], Shortening | None]:
    sizes = {name: _bytes_of(name, value) for name, value in properties.items()}
    names = sorted(name for name, size in sizes.items() if size < _UNSTORABLE)[:MAX_PROPERTIES]
    kept = {name: _cut(properties[name]) for name in names}
    kept_sizes = {name: _bytes_of(name, value) for name, value in kept.items()}
    total = sum(kept_sizes.values())
    if total > MAX_BYTES:
        raise InvalidEvent(
            "properties", f"have {total:,} bytes even after text was cut, at most {MAX_BYTES:,} are allowed"
        )
    cut = tuple(name for name in names if kept_sizes[name] < sizes[name])
    left_out = len(properties) - len(kept)
    return kept, Shortening(cut, left_out) if cut or left_out else None


def _cut(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    if isinstance(value, str):
        return value.encode()[:MAX_TEXT_BYTES].decode(errors="ignore") if _bytes(value) > MAX_TEXT_BYTES else value
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    return value


def _bytes_of(name: str, value: object) -> float:
    return _UNSTORABLE if len(name) > MAX_NAME_CHARACTERS else _bytes(name) + _value_bytes(name, value, 1)


def _value_bytes(key: str, value: object, level: int) -> float:
    """Returns the size of a value at some level of the property `key`.

    Raises:
        InvalidEvent: The value is invalid.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise _invalid(key, "contains a NUL character")
        return _bytes(value)
    if isinstance(value, float):
        if not -MAX_NUMBER < value < MAX_NUMBER:  # which NaN is not, either
            raise _invalid(key, _flaw(value))
        return VALUE_BYTES
    if not isinstance(value, list | dict) or not value:
        return VALUE_BYTES
    if level == MAX_LEVELS:
        return _UNSTORABLE
    names, items = (_names_bytes(value, key), value.values()) if isinstance(value, dict) else (0, value)
    return VALUE_BYTES + names + sum(map(_value_bytes, repeat(key), items, repeat(level + 1)))


def _names_bytes(content: Mapping[str, Any], key: str | None = None) -> float:
    """Returns the size of the names of the properties or, if `key` is given, of the names somewhere below one."""
    names = "".join(content)
    if "\0" in names:
        first = next(name for name in content if "\0" in name)
        raise _invalid(first if key is None else key, "has a name with a NUL character")
    if RESERVED_NAME in content:
        raise _invalid(RESERVED_NAME if key is None else key, f"has the name {RESERVED_NAME}, which is reserved")
    if len(names) > MAX_NAME_CHARACTERS and max(map(len, content)) > MAX_NAME_CHARACTERS:
        return _UNSTORABLE
    return _bytes(names)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _flaw(number: float) -> str:
    if not math.isfinite(number):
        return "is not a finite number"
    return "is a number of 2^53 or more, which can lose digits on the way; send it as text"


def _invalid(key: str, message: str) -> InvalidEvent:
    # Keep long names out of the field path, which appears in responses and logs.
    return InvalidEvent(f"properties.{key}" if len(key) <= MAX_NAME_CHARACTERS else "properties", message)
