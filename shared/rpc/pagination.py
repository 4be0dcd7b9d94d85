"""Pages of lists (AIP-158).

Guarantee: a token is opaque, holds only a cursor, and is rejected by a query with other arguments.
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

Cursor = tuple[str | int | datetime, ...]
"""The sort keys of the last item of a page; empty before the first page. Times are aware, in UTC."""

T = TypeVar("T")
_INT64 = range(-(2**63), 2**63)


class Request(Protocol):
    """The fields that every list request has."""

    page_size: int
    page_token: str


@dataclass(frozen=True, slots=True)
class Page:
    """A requested page: its query, its size, and the cursor after which it starts."""

    query: tuple[Any, ...]
    size: int
    after: Cursor

    @property
    def limit(self) -> int:
        """The number of items to read: one more than fits on the page, to detect a next page."""
        return self.size + 1

    def cut(
        self, found: Sequence[T], cursor: Callable[[T], Cursor], *, is_full: bool = False
    ) -> tuple[Sequence[T], str]:
        """Returns the items of the page among those read, and the next page token, which is empty on the last page.

        `is_full` means that there may be more items although fewer than `limit` were read.
        """
        items = found[: self.size]
        is_last = len(items) == len(found) and not is_full
        return items, "" if is_last else write_token(self.query, *cursor(items[-1]))


def asked_page(
    request: Request, query: tuple[Any, ...], *kinds: type[str | int | datetime], default: int, limit: int
) -> Page:
    """Returns the requested page of a list that is sorted by keys of these kinds.

    `query` holds everything that the token is bound to, as JSON values.

    Raises:
        InvalidArgument: The page size is negative.
        InvalidPageToken: See `read_token`.
    """
    return Page(
        query,
        page_size(request.page_size, default=default, limit=limit),
        read_token(query, request.page_token, *kinds),
    )


def page_size(asked: int, *, default: int, limit: int) -> int:
    """Returns the size of a page: the default if 0 is requested, never more than `limit`.

    Raises:
        InvalidArgument: The page size is negative.
    """
    if asked < 0:
        raise InvalidArgument("page_size", f"is {asked}, must not be negative")
    return min(asked or default, limit)


def write_token(query: tuple[Any, ...], *cursor: str | int | datetime) -> str:
    """Returns the token that continues a query after a cursor; the arguments of the query are JSON values."""
    written = [key.isoformat() if isinstance(key, datetime) else key for key in cursor]
    return base64.urlsafe_b64encode(json.dumps([_digest(query), *written]).encode()).decode()


def read_token(query: tuple[Any, ...], token: str, *kinds: type[str | int | datetime]) -> Cursor:
    """Returns the cursor in a token, with keys of these kinds; an empty token gives the empty cursor.

    Callers can forge tokens, so a key is accepted only if MongoDB can store its value.

    Raises:
        InvalidPageToken: The token is damaged, or was made by a query with other arguments.
    """
    if not token:
        return ()
    try:
        digest, *cursor = json.loads(base64.urlsafe_b64decode(token.encode()))
        if digest != _digest(query):
            raise InvalidPageToken
        return tuple(_key(key, kind) for key, kind in zip(cursor, kinds, strict=True))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise InvalidPageToken from None


def _key(key: object, kind: type[str | int | datetime]) -> str | int | datetime:
    if kind is int and type(key) is int and key in _INT64:
        return key
    if isinstance(key, str) and kind is not int:
        key.encode()  # raises an error if the key is not UTF-8
        if kind is str:
            return key
        time = datetime.fromisoformat(key)
        if time.tzinfo is UTC:
            return time
    raise InvalidPageToken


def _digest(query: tuple[Any, ...]) -> str:
    return hashlib.blake2b(json.dumps(query).encode(), digest_size=8).hexdigest()
