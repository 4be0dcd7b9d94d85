"""Real servers for the tests that need them, one each per session, and the `servers` marker for those tests."""

import asyncio
import os
import signal
import socket
import uuid
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from cli.local import demo, embedded
from cli.local.embedded import EmbeddedMongo, EmbeddedRedis
from shared import mongo
from shared.inbox import broker as brokers
from shared.mongo import Database
from tests.examples import examples

settings.register_profile("leadscore", examples(100), deadline=None, derandomize=True)
settings.load_profile("leadscore")

# The servers that tests start run in sessions of their own, so a SIGTERM to pytest must reach their fixtures.
signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))

PARTITIONS = 8
PORTS = range(4_000, 10_000)
"""Not those of embedded.PORTS, of which a `leadscore up` that a test starts takes any, nor ephemeral ones."""
SYSTEM_PORTS = 200
"""More than lie between the first and the last port of a `leadscore up`."""


def _share(ports: range) -> range:
    """Returns the ports of this worker of pytest-xdist: others would take some of those that a test has yet to bind."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    size = len(ports) // count
    return ports[number % count * size :][:size]


embedded.PORTS = _share(PORTS)
demo.BASE_PORTS = _share(demo.BASE_PORTS)[:-SYSTEM_PORTS]
ROOT = Path(__file__).parents[1]
SERVER_FIXTURES = {"mongo_uri", "redis_url", "door"}
SERVER_DIRECTORIES = {"e2e", "clients"}
SERVER_NAMES = {
    "subprocess",
    "EmbeddedMongo",
    "EmbeddedRedis",
    "gateway_process",
    "running_system",
    "running_http_api",
    "Series",
}
"""A module that imports one of these starts servers or other processes."""
LONGEST = {"test_chaos", "test_automations", "test_bad_input", "test_crashes", "test_failing_parts"}
"""Modules that take longest: they come first, so that the workers of pytest-xdist end at about the same time."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names bytes by their argument: gzip writes the time into them, and all workers of pytest-xdist must agree."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest modules first, and marks every test that needs servers, which `make unit` leaves out."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)
    for item in items:
        if _needs_servers(item):
            item.add_marker("servers")


def _needs_servers(item: pytest.Item) -> bool:
    directory = item.path.parent.name
    if directory == "architecture":
        return False  # it runs Python once, which is quick
    fixtures = getattr(item, "fixturenames", ())
    return (
        directory in SERVER_DIRECTORIES
        or not SERVER_FIXTURES.isdisjoint(fixtures)
        or not SERVER_NAMES.isdisjoint(vars(getattr(item, "module", None) or item))
    )


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of the database `leadscore` on a running replica set of one member."""
    with EmbeddedMongo(tmp_path_factory.mktemp("mongo")) as server:
        yield server.uri


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running Redis."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(autouse=True)
def _patient_with_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits longer for a Redis that answers slowly on a busy machine; tests of a hanging Redis set their own limit."""
    monkeypatch.setattr(brokers, "REDIS_SECONDS", 10.0)


@pytest.fixture(autouse=True, scope="session")
def _closes_cancelled_connects() -> Iterator[None]:
    """Closes the socket of a cancelled connect.

    pymongo leaves it to the garbage collector, so tests that end while a background task connects would fail with a
    ResourceWarning at random. asyncio's own connects close theirs, so this hides no leak of leadscore.
    """
    connect = BaseSelectorEventLoop.sock_connect

    async def connect_or_close(loop: BaseSelectorEventLoop, opened: socket.socket, address: Any) -> None:
        try:
            await connect(loop, opened, address)
        except asyncio.CancelledError:
            opened.close()
            raise

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(BaseSelectorEventLoop, "sock_connect", connect_or_close)
        yield


@pytest.fixture
def database_uri(mongo_uri: str) -> str:
    """The URI of a database for this test alone."""
    return mongo_uri.replace("/leadscore?", f"/test_{uuid.uuid4().hex[:12]}?")


@pytest.fixture
async def database(database_uri: str) -> AsyncIterator[Database]:
    """A database for this test alone; dropped afterwards."""
    opened = await mongo.connect(database_uri)
    try:
        yield opened
    finally:
        await opened.client.drop_database(opened.name)
        await opened.client.close()
