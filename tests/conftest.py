"""Real servers for the tests that need them, one each per session, and the one way to wait."""

import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from cli.local.embedded import EmbeddedMongo, EmbeddedRedis
from shared import mongo
from shared.inbox import broker as brokers
from shared.mongo import Database

settings.register_profile("leadscore", deadline=None, derandomize=True)
settings.load_profile("leadscore")

# Servers that tests start are in sessions of their own: whoever ends the tests, they must be ended, too.
signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))

PARTITIONS = 8
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a running replica set of one member, without a database's name."""
    with EmbeddedMongo(tmp_path_factory.mktemp("mongo")) as server:
        mongo.initiate(server.uri)
        yield server.uri


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running Redis."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(autouse=True)
def _patient_with_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that answers late is not away; tests in which it hangs are for those that want it shorter."""
    monkeypatch.setattr(brokers, "REDIS_SECONDS", 10.0)


@pytest.fixture
def database_uri(mongo_uri: str) -> str:
    """The URI of a database of this test's own."""
    return mongo_uri.replace("/leadscore?", f"/test_{uuid.uuid4().hex[:12]}?")


@pytest.fixture
async def database(database_uri: str) -> AsyncIterator[Database]:
    """A database of this test's own, dropped afterwards."""
    opened = await mongo.connect(database_uri)
    try:
        yield opened
    finally:
        await opened.client.drop_database(opened.name)
        await opened.client.close()
