"""Converts the payload of an event to text, to compare what was sent with what is stored."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value
from leadscore.ingest.v1 import ingest_pb2

from chaos.rows import Document

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sent(event: ingest_pb2.Event) -> str:
    """Returns the payload of a sent event; its time is truncated to milliseconds, as documented."""
    time = event.event_time
    when = _EPOCH + timedelta(seconds=time.seconds, milliseconds=time.nanos // 1_000_000)
    return canonical([event.lead_id, event.event_type, when, _struct(event.properties), event.source])


def stored(row: Document) -> str:
    """Returns the payload of a stored event, with its time as it was sent."""
    time = row.get("original_event_time", row["event_time"])
    return canonical([row["lead_id"], row["event_type"], time, row["properties"], row["source"]])


def canonical(values: Sequence[Any]) -> str:
    """Returns a text that is equal for equal values: 1 equals 1.0, but not true."""
    return json.dumps(_plain(values), sort_keys=True)


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case bool() | str() | None:
            return value
        case int() | float():
            return float(value)
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case _:
            return [_plain(each) for each in value]


def _struct(struct: Struct) -> dict[str, Any]:
    return {key: _value(value) for key, value in struct.fields.items()}


def _value(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return _struct(value.struct_value)
        case "list_value":
            return [_value(each) for each in value.list_value.values]
        case None | "null_value":
            return None
        case kind:
            return getattr(value, kind)
