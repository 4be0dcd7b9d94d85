"""Pages of lists (AIP-158).

Guarantee: a token is opaque, holds only the place to go on from, and is refused by a query with other arguments.
"""

import base64
import binascii
import hashlib
import json
from typing import Any

from shared.errors import InvalidArgument, InvalidPageToken


def page_size(asked: int, *, default: int, most: int) -> int:
    """Returns how many items a page holds: the default when 0 is asked, never more than `most`.

    Raises:
        InvalidArgument: A negative number is asked for.
    """
    if asked < 0:
        raise InvalidArgument("page_size", f"is {asked}, must not be negative")
    return min(asked or default, most)


def write_token(query: tuple[Any, ...], place: list[Any]) -> str:
    """Returns a token that goes on from a place in a query; both are made of JSON values."""
    return base64.urlsafe_b64encode(json.dumps([_digest(query), *place]).encode()).decode()


def read_token(query: tuple[Any, ...], token: str) -> list[Any] | None:
    """Returns the place that a token names, None for an empty token.

    Raises:
        InvalidPageToken: The token is damaged, or was made by a query with other arguments.
    """
    if not token:
        return None
    try:
        digest, *place = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise InvalidPageToken from None
    if digest != _digest(query):
        raise InvalidPageToken
    return list(place)


def _digest(query: tuple[Any, ...]) -> str:
    return hashlib.blake2b(json.dumps(query).encode(), digest_size=8).hexdigest()
