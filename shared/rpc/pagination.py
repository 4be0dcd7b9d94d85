"""Pages of lists (AIP-158).

Guarantee: a token is opaque, holds only the place to go on from, and is refused by a query with other arguments.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from shared.rpc.errors import InvalidArgument, InvalidPageToken

Place = tuple[str | int | datetime, ...]
"""Where a page ends: the sort keys of its last item; empty before the first page. Times are aware, in UTC."""

T = TypeVar("T")
_INT64 = range(-(2**63), 2**63)


class Request(Protocol):
    """The two fields that every request for a list has."""

    page_size: int
    page_token: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was asked for: where it begins, and what is to be read for it."""

    query: tuple[Any, ...]
    size: int
    after: Place

    @property
    def limit(self) -> int:
        """How many items to read: one more than the page holds, which tells whether there is a next page."""
        return self.size + 1

    def cut(self, found: Sequence[T], place: Callable[[T], Place]) -> tuple[Sequence[T], str]:
        """Returns the items of the page, of what was read, and the token of the next page, empty after the last."""
        token = write_token(self.query, *place(found[self.size - 1])) if len(found) > self.size else ""
        return found[: self.size], token


def asked_page(
    request: Request, query: tuple[Any, ...], *kinds: type[str | int | datetime], default: int, limit: int
) -> Page:
    """Returns the page that a request asks for, of a list that is sorted by keys of these kinds.

    `query` is all that the token is bound to, as JSON values.

    Raises:
        InvalidArgument: A negative number of items is asked for.
        InvalidPageToken: See `read_token`.
    """
    return Page(
        query,
        page_size(request.page_size, default=default, limit=limit),
        read_token(query, request.page_token, *kinds),
    )


def page_size(asked: int, *, default: int, limit: int) -> int:
    """Returns how many items a page holds: the default when 0 is asked, never more than `limit`.

    Raises:
        InvalidArgument: A negative number is asked for.
    """
    if asked < 0:
        raise InvalidArgument("page_size", f"is {asked}, must not be negative")
    return min(asked or default, limit)


def write_token(query: tuple[Any, ...], *place: str | int | datetime) -> str:
    """Returns a token that goes on from a place in a query; the query's arguments are JSON values."""
    written = [key.isoformat() if isinstance(key, datetime) else key for key in place]
    return base64.urlsafe_b64encode(json.dumps([_digest(query), *written]).encode()).decode()


def read_token(query: tuple[Any, ...], token: str, *kinds: type[str | int | datetime]) -> Place:
    """Returns the place that a token names, made of keys of these kinds; the empty place for an empty token.

    Callers can make tokens up, so a key is taken only if a database can be asked for it.

    Raises:
        InvalidPageToken: The token is damaged, or was made by a query with other arguments.
    """
    if not token:
        return ()
    try:
        digest, *place = json.loads(base64.urlsafe_b64decode(token.encode()))
        if digest != _digest(query):
            raise InvalidPageToken
        return tuple(_key(key, kind) for key, kind in zip(place, kinds, strict=True))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise InvalidPageToken from None


def _key(key: object, kind: type[str | int | datetime]) -> str | int | datetime:
    if kind is int and type(key) is int and key in _INT64:
        return key
    if isinstance(key, str) and kind is not int:
        key.encode()  # refuses what is not UTF-8
        if kind is str:
            return key
        time = datetime.fromisoformat(key)
        if time.tzinfo is UTC:
            return time
    raise InvalidPageToken


def _digest(query: tuple[Any, ...]) -> str:
    return hashlib.blake2b(json.dumps(query).encode(), digest_size=8).hexdigest()
