"""A fixture for tests of servers that do not answer."""

import gc
from collections.abc import Iterator

import pytest

from shared import mongo


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Gives up on a server soon. Use with `UNCLOSED`: pymongo leaves the socket of a cancelled connect open."""
    monkeypatch.setattr(mongo, "SELECT_SECONDS", 0.3)
    yield
    gc.collect()
