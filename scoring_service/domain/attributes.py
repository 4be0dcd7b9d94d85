"""The attributes of a lead: the properties of its `identify` events, within a limit on their total size."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

MAX_NAMES = 256
"""The maximum number of attributes of a lead."""
MAX_BYTES = 65_536
"""The maximum size of all attributes of a lead together, in bytes of compact JSON in UTF-8."""

_NOTHING: Mapping[str, Any] = {}
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Attributes(NamedTuple):
    """The attributes of a lead, their size, and how many values were left out for lack of room.

    `size` is the number of bytes of `values` as compact JSON. It is stored so that a merge measures only what changes.
    """

    values: Mapping[str, Any] = _NOTHING
    size: int = 2
    left_out: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any], left_out: int = 0) -> "Attributes":
        """Returns attributes with their measured size."""
        return cls(values, 2 + sum(map(_member_bytes, values, values.values())) - bool(values), left_out)


NO_ATTRIBUTES = Attributes()


def merged(attributes: Attributes, more: Mapping[str, Any]) -> Attributes:
    """Returns attributes after an `identify` event with the properties `more`.

    A new value replaces the old value of the same name. A value that would exceed `MAX_NAMES` or `MAX_BYTES` is left
    out and counted, and the attribute keeps its old value, if it had one; the other values of the event are still
    merged. A value that is no longer than the one it replaces always fits. Names are merged in alphabetical order, so
    the result depends only on the events and their order.

    The cost grows with `more` and the values that it replaces, not with the size of the other attributes.
    """
    values, size, left_out = dict(attributes.values), attributes.size, attributes.left_out
    for name in sorted(more):
        is_new = name not in values
        growth = _member_bytes(name, more[name])
        # The first member has no comma before it.
        growth -= (0 if values else 1) if is_new else _member_bytes(name, values[name])
        if growth > 0 and (size + growth > MAX_BYTES or (is_new and len(values) >= MAX_NAMES)):
            left_out += 1
            continue
        values[name] = more[name]
        size += growth
    return Attributes(values, size, left_out)


def _member_bytes(name: str, value: object) -> int:
    """Returns the bytes of a name and its value in a JSON object, with the colon between and a comma."""
    return len(_to_json(name).encode()) + len(_to_json(value).encode()) + 2
