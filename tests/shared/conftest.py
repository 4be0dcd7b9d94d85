"""A fixture for tests of servers that do not answer."""

import pytest

from shared import mongo


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up on a server soon."""
    monkeypatch.setattr(mongo, "SELECT_SECONDS", 0.3)
