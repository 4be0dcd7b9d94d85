"""Lists of the services, which give them page by page."""

import sys
from collections.abc import Callable
from typing import Any

from cli.terminal.connection import CALL_SECONDS

MAX_ON_A_PAGE = 500
"""What is asked for at once. A service may give less, and none that has more to give leaves out the token."""


def listed(call: Callable[..., Any], request: Any, field: str, limit: int = sys.maxsize) -> list[Any]:  # noqa: ANN401 (any list)
    """Returns the first items of a list, all of them when `limit` is not given.

    `field` holds them in an answer of the call. The request is changed from page to page.

    Raises:
        grpc.RpcError: A page could not be had.
    """
    found: list[Any] = []
    while len(found) < limit:
        request.page_size = min(limit - len(found), MAX_ON_A_PAGE)
        page = call(request, timeout=CALL_SECONDS)
        found += getattr(page, field)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    return found[:limit]
