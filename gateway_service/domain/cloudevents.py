"""CloudEvents 1.0 over HTTP: one event as JSON, a batch of them, or the attributes in headers and the data in the body.

See the HTTP protocol binding and the JSON event format of the specification.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from gateway_service.domain.records import Record, items, written

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
HEADER_PREFIX = "ce-"
"""The headers of the binary mode that hold attributes."""

_VERSION = "1.0"


def structured(body: object, now: datetime) -> list[Record]:
    """Returns the event that is a body."""
    return [_record("", body, now)]


def batched(body: object, now: datetime) -> list[Record]:
    """Returns the events of a body that is a list.

    Raises:
        InvalidRequest: It is not a list, or has too many events.
    """
    return [_record(path, event, now) for path, event in items("events", body)]


def binary(headers: Mapping[str, str], data: object, now: datetime) -> list[Record]:
    """Returns the event whose attributes are headers, by their names in lower case. Without data, `data` is None."""
    attributes: dict[str, Any] = {
        name.removeprefix(HEADER_PREFIX): unquote(value)
        for name, value in headers.items()
        if name.startswith(HEADER_PREFIX)
    }
    return [_record("", attributes if data is None else {**attributes, "data": data}, now)]


def _record(path: str, event: object, now: datetime) -> Record:
    if not isinstance(event, dict):
        return Record(path, {}, "is not an object")
    if event.get("specversion") != _VERSION:
        return Record(path, {}, f"specversion: must be {_VERSION}")
    if event.get("data_base64") is not None:
        return Record(path, {}, "data_base64: must be data in JSON")
    if event.get("time") in (None, ""):
        return Record(path, {**event, "time": written(now)}, has_own_time=False)
    return Record(path, event)
