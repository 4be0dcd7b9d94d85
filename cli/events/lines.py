"""Lines of event files: building an event from the fields of a line, or the reason why that fails.

Only what protobuf cannot represent is rejected here. The ingest service validates the rest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leadscore.ingest.v1 import ingest_pb2 as pb

from cli.events.times import to_time
from shared import wire

MAX_LEVELS = 20
"""Maximum nesting of properties. Protobuf cannot parse much deeper ones, and would reject their whole batch."""
TIME_FIELDS = ("occurred_at", "event_time", "timestamp")

_TEXT_FIELDS = ("event_id", "lead_id", "event_type", "source")
_FIELDS = {*_TEXT_FIELDS, *TIME_FIELDS, "properties"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, counted from 1: either an event, or the flaw that prevents it from being one."""

    number: int
    event: pb.Event | None
    flaw: str | None


def to_line(number: int, row: Mapping[str, Any]) -> Line:
    """Returns the line whose fields are given. Unknown fields become properties."""
    try:
        return Line(number, _event(row), None)
    except UnicodeEncodeError:
        return Line(number, None, "is not UTF-8")
    except OverflowError:
        return Line(number, None, "has a number that is too large")
    except ValueError as flaw:
        return Line(number, None, str(flaw))


def _event(row: Mapping[str, Any]) -> pb.Event:
    texts = {field: row[field] for field in _TEXT_FIELDS if field in row and row[field] is not None}
    for field, text in texts.items():
        if not isinstance(text, str):
            raise ValueError(f"{field}: is not text")  # noqa: TRY004 (a mistake in the data, not in the program)
    event = pb.Event(**texts, properties=_properties(row))
    given = next((row[field] for field in TIME_FIELDS if row.get(field) is not None), None)
    if given is not None:
        try:
            event.event_time.CopyFrom(wire.to_timestamp(to_time(given)))
        except ValueError as error:
            raise ValueError(f"event_time: {error}") from None
    return event


def _properties(row: Mapping[str, Any]) -> dict[str, Any]:
    properties = row.get("properties") or {}
    if not isinstance(properties, dict):
        raise ValueError("properties: is not an object")  # noqa: TRY004 (a mistake in the data, not in the program)
    unknown = row.keys() - _FIELDS
    if unknown:
        properties = {field: row[field] for field in sorted(unknown)} | properties
    if _is_too_deep(properties, MAX_LEVELS):
        raise ValueError(f"properties: nested deeper than {MAX_LEVELS} levels")
    return properties


def _is_too_deep(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    return levels < 0 or any(_is_too_deep(item, levels - 1) for item in _items(value))


def _items(value: dict[str, Any] | list[Any]) -> Iterator[Any]:
    return iter(value.values() if isinstance(value, dict) else value)
