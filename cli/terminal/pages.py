"""Reading lists from the services, page by page."""

import sys
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from cli.terminal.connection import CALL_SECONDS

MAX_ON_A_PAGE = 500
"""Page size of requests. A service may return fewer items; there are more exactly if it returns a token."""


def listed(call: Callable[..., Any], request: Any, field: str, limit: int = sys.maxsize) -> list[Any]:  # noqa: ANN401 (any list)
    """Returns the first `limit` items of a list; all of them by default. See `in_pages`."""
    return list(chain.from_iterable(in_pages(call, request, field, limit)))


def in_pages(call: Callable[..., Any], request: Any, field: str, limit: int) -> Iterator[list[Any]]:  # noqa: ANN401 (any list)
    """Yields the first `limit` items of a list, page by page.

    `field` is the field of the response that holds the items. The request is modified for each page; at the end, its
    page token is empty if there are no more items.

    Raises:
        grpc.RpcError: A call failed.
    """
    left = limit
    while left > 0:
        request.page_size = min(left, MAX_ON_A_PAGE)
        page = call(request, timeout=CALL_SECONDS)
        found = list(getattr(page, field))[:left]
        left -= len(found)
        request.page_token = page.next_page_token
        yield found
        if not page.next_page_token:
            return
