"""The messages of Segment's HTTP tracking API, which RudderStack's SDKs speak, too."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway_service.domain.records import InvalidRequest, Record, items, written

TYPES = ("track", "identify", "page", "screen", "group", "alias")
"""The types of messages; each has a path of its own, such as `/v1/track`."""

_TIMES = ("timestamp", "originalTimestamp")
_OF_THE_REQUEST = {"sentAt", "writeKey"}
"""What differs when a message is sent again, or is none of its business."""
_ID_CHARACTERS = 32


def batch(body: object, now: datetime) -> list[Record]:
    """Returns the messages of a request to `/v1/batch` that was received now.

    Raises:
        InvalidRequest: The body has no list of messages, or too many of them.
    """
    fields = _object(body)
    return [_record(path, message, fields.get("sentAt"), now) for path, message in items("batch", fields.get("batch"))]


def single(kind: str, body: object, now: datetime) -> list[Record]:
    """Returns the message of a request to the path of its type that was received now.

    Raises:
        InvalidRequest: The body is not an object.
    """
    return [_record("", {**_object(body), "type": kind}, None, now)]


def write_key(body: object) -> str | None:
    """Returns the write key in a body, where browsers put it."""
    key = body.get("writeKey") if isinstance(body, dict) else None
    return key if isinstance(key, str) else None


def _object(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidRequest("", "the body is not an object")
    return body


def _record(path: str, message: object, sent_at: object, now: datetime) -> Record:
    if not isinstance(message, dict):
        return Record(path, {}, "is not an object")
    if flaw := _flaw(message):
        return Record(path, {}, flaw)
    has_time = any(message.get(name) not in (None, "") for name in _TIMES)
    defaults = {"messageId": _message_id(message, has_time=has_time)}
    if not has_time:
        # The time is by our clock, so nothing corrects it.
        given = {name: value for name, value in message.items() if name != "sentAt"}
        return Record(path, {**defaults, **_given(given), "timestamp": written(now)}, has_own_time=False)
    return Record(path, {**defaults, "sentAt": sent_at, **_given(message)})


def _flaw(message: Mapping[str, Any]) -> str:
    kind = message.get("type")
    if kind not in TYPES:
        return f"type: must be one of {', '.join(TYPES)}"
    if kind == "track" and message.get("event") in (None, ""):
        return "event: is missing"
    return ""


def _given(message: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields that have a value."""
    return {name: value for name, value in message.items() if value not in (None, "")}


def _message_id(message: Mapping[str, Any], *, has_time: bool) -> str:
    """Returns an id for a message without one: the same one when the same message is sent again, if it has a time."""
    if not has_time:
        return str(uuid.uuid4())
    content = {name: value for name, value in message.items() if name not in _OF_THE_REQUEST}
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_CHARACTERS]
