"""Records: what a request has one of per message. A mapping turns them into events."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

MAX_RECORDS = 2_500
"""Records per request, as many as Segment's API takes."""

MAX_VALUES = 16_384
"""Values in a record, at any depth. More than half of them would be too many for the properties of an event."""


class InvalidRequest(Exception):
    """A request as a whole is invalid. `field` is the path of what is wrong, and empty for the whole body."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}" if field else sentence)
        self.field = field


class Record(NamedTuple):
    """The fields of one message, or the flaw that explains why it has none.

    Attributes:
        path: Where it was in the body, such as `batch[3]`; empty for the whole body.
        fields: Its values by name, in the types of JSON.
        flaw: A sentence that begins with the field; empty if there is no flaw.
        has_own_time: Whether its sender said when it happened. If not, its time is that of the receipt, so it differs
            when the message is sent again.
    """

    path: str
    fields: Mapping[str, Any]
    flaw: str = ""
    has_own_time: bool = True


def items(field: str, value: object) -> list[tuple[str, object]]:
    """Returns the items of a list of 1 to `MAX_RECORDS`, each with its path.

    Raises:
        InvalidRequest: The value is not such a list.
    """
    if not isinstance(value, list):
        raise InvalidRequest(field, "is missing" if value is None else "is not a list")
    if not 1 <= len(value) <= MAX_RECORDS:
        raise InvalidRequest(field, f"has {len(value):,} items, must have 1 to {MAX_RECORDS:,}")
    return [(f"{field}[{index}]", item) for index, item in enumerate(value)]


def written(time: datetime) -> str:
    """Returns an aware time as RFC 3339."""
    return time.isoformat(timespec="milliseconds")


def has_too_many_values(fields: Mapping[str, Any]) -> bool:
    """Returns whether a record has more than `MAX_VALUES` values. It looks at no more than that."""
    left, containers = MAX_VALUES, list[Any]([fields])
    while containers and left >= 0:
        container = containers.pop()
        left -= len(container)
        members = container.values() if isinstance(container, Mapping) else container
        containers += [each for each in members if isinstance(each, dict | list)] if left >= 0 else []
    return left < 0
