"""Reading lists from the services, page by page."""

import sys
from collections.abc import Callable
from typing import Any

from cli.terminal.connection import CALL_SECONDS

MAX_ON_A_PAGE = 500
"""Page size of requests. A service may return fewer items; there are more exactly if it returns a token."""


def listed(call: Callable[..., Any], request: Any, field: str, limit: int = sys.maxsize) -> list[Any]:  # noqa: ANN401 (any list)
    """Returns the first `limit` items of a list; all of them by default.

    `field` is the field of the response that holds the items. The request is modified for each page.

    Raises:
        grpc.RpcError: A call failed.
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
