"""Pages of the fakes."""

from collections.abc import Sequence
from typing import Any

MAX_PAGE = 500
"""Items that a page holds at most."""


def page(count: int, request: Any) -> tuple[Sequence[int], str]:
    """Returns the numbers of the items on the page that a request asks for, and the token of the next page."""
    begin = int(request.page_token or 0)
    end = begin + min(request.page_size, MAX_PAGE)
    return range(count)[begin:end], str(end) if end < count else ""
