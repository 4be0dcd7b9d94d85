"""Reading complete lists from the services: the next page is requested while the current one is written."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PAGE_SECONDS = 120.0
"""Deadline of one page; a page can take long if few of the many rows that the service reads match."""


def all_items(call: Callable[..., Any], request: Any, field: str, *, page_size: int) -> Iterator[Any]:  # noqa: ANN401 (any list)
    """Yields all items of a list. `field` is the field of the response that holds them.

    The request is modified for each page.

    Raises:
        grpc.RpcError: A call failed.
    """
    request.page_size = page_size
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(call, request, timeout=PAGE_SECONDS)
        while True:
            page = reading.result()
            if page.next_page_token:
                request.page_token = page.next_page_token
                reading = reader.submit(call, request, timeout=PAGE_SECONDS)
            yield from getattr(page, field)
            if not page.next_page_token:
                return
