"""The attributes of a lead: what `identify` events said of it, bounded as a whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_NAMES = 256
"""Attributes of a lead."""
MAX_BYTES = 65_536
"""Bytes of all attributes of a lead together, as compact JSON in UTF-8."""

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of a lead, their size, and how many values were left out because there was no room for them.

    `size` is the number of bytes of `values` as compact JSON. It is kept, so that a merge measures only what changes.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    size: int = 2
    left_out: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any], left_out: int = 0) -> "Attributes":
        """Measures attributes whose size is not known, such as those of a stored lead; `left_out` is taken as given."""
        return cls(values, 2 + sum(map(_member_bytes, values, values.values())) - bool(values), left_out)


NO_ATTRIBUTES = Attributes()


def merged(attributes: Attributes, more: Mapping[str, Any]) -> Attributes:
    """Returns attributes after an `identify` event with the properties `more`.

    A new value replaces the old one of its name. A value for which there is no room is left out and counted: the
    attribute stays as it was, or stays missing. All other values of the event are kept. There is no room when the value
    would bring the attributes over `MAX_NAMES` or `MAX_BYTES`; a value no longer than the one that it replaces always
    has room. Names are taken in alphabetical order, so the result depends on the events and their order alone.

    The cost grows with `more` and with the values that it replaces, and not with the bytes of all others.
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
