"""A store, and a client of a gateway in front of it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.gateway.serving import gateway
from tests.ingest.fakes import FakeEventStore


@pytest.fixture
def store() -> FakeEventStore:
    return FakeEventStore()


@pytest.fixture
async def client(store: FakeEventStore) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway(store) as opened:
        yield opened
