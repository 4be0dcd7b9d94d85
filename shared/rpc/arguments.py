"""What the requests of all services have in common.

Guarantee: an id that passes may be stored, compared and shown anywhere, and with a time that passes one may compute;
all else is refused with the field's name.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from shared import wire
from shared.rpc.errors import InvalidArgument

MAX_CHARACTERS = 256
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""The end of time for requests: far enough from the last year that every computation with a time stays possible."""
MAX_ROW_CHARACTERS = MAX_CHARACTERS + 20
"""Of the id of a row in an inbox: a lead's id and a number, at most."""


def identifier(field: str, text: str, *, limit: int = MAX_CHARACTERS) -> str:
    """Returns a text of 1 to `limit` characters without NUL.

    Raises:
        InvalidArgument: It is none.
    """
    if not text:
        raise InvalidArgument(field, "is empty")
    return optional_text(field, text, limit=limit)


def optional_text(field: str, text: str, *, limit: int = MAX_CHARACTERS) -> str:
    """Returns a text of at most `limit` characters without NUL; it may be empty.

    Raises:
        InvalidArgument: It is none.
    """
    if len(text) > limit:
        raise InvalidArgument(field, f"has {len(text):,} characters, at most {limit:,} are allowed")
    if "\0" in text:
        raise InvalidArgument(field, "contains a NUL character")
    return text


def identifiers(field: str, texts: Sequence[str], *, limit: int, characters: int = MAX_CHARACTERS) -> list[str]:
    """Returns 1 to `limit` ids of at most so many characters, each once, in the order given.

    Raises:
        InvalidArgument: There is none, there are more, or one is malformed.
    """
    if not 1 <= len(texts) <= limit:
        raise InvalidArgument(field, f"has {len(texts)} ids, must have 1 to {limit}")
    return list(
        dict.fromkeys(identifier(f"{field}[{index}]", text, limit=characters) for index, text in enumerate(texts))
    )


def ids_or_all(field: str, texts: Sequence[str], *, every: bool, limit: int) -> list[str] | None:
    """Returns 1 to `limit` ids as `identifiers` does, or None for all when `every` is set.

    Raises:
        InvalidArgument: There are both or neither, there are more, or one is malformed.
    """
    if every and texts:
        raise InvalidArgument(field, "has ids although all are asked for")
    return None if every else identifiers(field, texts, limit=limit, characters=MAX_ROW_CHARACTERS)


def time(field: str, timestamp: Timestamp) -> datetime:
    """Returns a time between 1970 and `LATEST`, cut to the millisecond.

    Raises:
        InvalidArgument: It lies outside.
    """
    found = wire.to_time(timestamp)
    if not wire.EPOCH <= found <= LATEST:
        raise InvalidArgument(field, f"lies outside the years {wire.EPOCH.year} to {LATEST.year}")
    return found
