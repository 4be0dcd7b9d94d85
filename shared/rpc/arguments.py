"""Checks the kinds of arguments that the requests of all services share.

Guarantee: an id that passes is safe to store, compare and display, and a time that passes is safe to compute with.
Anything else is refused with the name of the field.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from shared import wire
from shared.rpc.errors import InvalidArgument

MAX_CHARACTERS = 256
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""The latest time in a request: so far before the year 9999 that no computation with it overflows."""
MAX_ROW_CHARACTERS = MAX_CHARACTERS + 20
"""Characters in the id of an inbox row, which is at most a lead's id and a number."""


def identifier(field: str, text: str, *, limit: int = MAX_CHARACTERS) -> str:
    """Returns a text of 1 to `limit` characters without NUL.

    Raises:
        InvalidArgument: The text is empty, is too long, or contains NUL.
    """
    if not text:
        raise InvalidArgument(field, "is empty")
    return optional_text(field, text, limit=limit)


def optional_text(field: str, text: str, *, limit: int = MAX_CHARACTERS) -> str:
    """Returns a text of at most `limit` characters without NUL; it may be empty.

    Raises:
        InvalidArgument: The text is too long or contains NUL.
    """
    if len(text) > limit:
        raise InvalidArgument(field, f"has {len(text):,} characters, at most {limit:,} are allowed")
    if "\0" in text:
        raise InvalidArgument(field, "contains a NUL character")
    return text


def identifiers(field: str, texts: Sequence[str], *, limit: int, characters: int = MAX_CHARACTERS) -> list[str]:
    """Returns 1 to `limit` ids of at most `characters` characters, in the given order and without duplicates.

    Raises:
        InvalidArgument: There are no ids, there are too many, or one is invalid.
    """
    if not 1 <= len(texts) <= limit:
        raise InvalidArgument(field, f"has {len(texts)} ids, must have 1 to {limit}")
    return list(
        dict.fromkeys(identifier(f"{field}[{index}]", text, limit=characters) for index, text in enumerate(texts))
    )


def ids_or_all(field: str, texts: Sequence[str], *, every: bool, limit: int) -> list[str] | None:
    """Returns 1 to `limit` ids as `identifiers` does, or None, which means all, if `every` is set.

    Raises:
        InvalidArgument: Both ids and `every` are given, or neither; or there are too many ids, or one is invalid.
    """
    if every and texts:
        raise InvalidArgument(field, "has ids although all are asked for")
    return None if every else identifiers(field, texts, limit=limit, characters=MAX_ROW_CHARACTERS)


def time(field: str, timestamp: Timestamp) -> datetime:
    """Returns a time between 1970 and `LATEST`, truncated to the millisecond.

    Raises:
        InvalidArgument: The time is outside this range.
    """
    found = wire.to_time(timestamp)
    if not wire.EPOCH <= found <= LATEST:
        raise InvalidArgument(field, f"lies outside the years {wire.EPOCH.year} to {LATEST.year}")
    return found


def optional_time(field: str, request: Message) -> datetime | None:
    """Returns the time in a field of a request, checked by `time`; None if the field is not set."""
    return time(field, getattr(request, field)) if request.HasField(field) else None
