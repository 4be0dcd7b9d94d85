"""Fixtures for tests of watching: changes in memory, and watchers of them."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from intelligence_service.watchers import Watchers
from tests.intelligence.fakes import FakeLeadChanges
from tests.intelligence.watching import intelligence


@pytest.fixture
def changes() -> FakeLeadChanges:
    """Changes in memory."""
    return FakeLeadChanges()


@pytest.fixture
async def subject(changes: FakeLeadChanges) -> AsyncIterator[Watchers]:
    """Watchers of the changes in memory."""
    async with contextlib.aclosing(Watchers(changes, intelligence())) as watchers:
        yield watchers
