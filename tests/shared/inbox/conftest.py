"""An inbox of letters, its doorbell, and settings for quick tests."""

import contextlib
import signal
import socket
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import dramatiq
import pytest

from cli.local.embedded import EmbeddedRedis
from shared.inbox import broker as brokers
from shared.inbox import doorbell as doorbell_module
from shared.inbox import parking as parking_module
from shared.inbox.broker import DoorbellBroker
from shared.inbox.collection import Inbox
from shared.mongo import Database
from tests.conftest import PARTITIONS
from tests.shared.inbox.doorbell_pair import SOON, DoorbellPair
from tests.shared.inbox.pouring_worker import QUEUE, StopSignal
from tests.shared.inbox.recording_doorbell import RecordingDoorbell
from tests.shared.letters import LETTERS


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    """An inbox in an empty database."""
    made = Inbox(database, LETTERS, partitions=PARTITIONS)
    await made.migrate()
    return made


@pytest.fixture
def doorbell(redis_url: str) -> Iterator[RecordingDoorbell]:
    """The doorbell of an inbox that only this test uses."""
    broker = brokers.connect(redis_url)
    yield RecordingDoorbell(broker, f"letters_{uuid.uuid4().hex}")
    broker.client.close()


@pytest.fixture
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the attempts of a row follow one another without a pause."""
    monkeypatch.setattr(parking_module, "PAUSE", timedelta(milliseconds=10))
    monkeypatch.setattr(parking_module, "CLAIM", timedelta(milliseconds=10))


@pytest.fixture
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets no row be tried alone a second time, however long a test takes."""
    for name in ("PAUSE", "CLAIM"):
        monkeypatch.setattr(parking_module, name, timedelta(hours=1))
    monkeypatch.setattr(parking_module, "FARTHEST", timedelta(days=1))


@pytest.fixture
def contained_signals() -> Iterator[None]:
    """Restores the signal handlers that a worker has replaced."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def stop_signal(contained_signals: None) -> Iterator[StopSignal]:
    """The signal that stops the worker; no longer sent once the handlers are restored."""
    thread = StopSignal()
    thread.start()
    yield thread
    thread.end()


@pytest.fixture
def opened_brokers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[DoorbellBroker]]:
    """Records all brokers of a test, and closes their connections after it."""
    made: list[DoorbellBroker] = []
    connect = brokers.connect

    def connect_and_keep(url: str, *middleware: dramatiq.Middleware) -> DoorbellBroker:
        made.append(connect(url, *middleware))
        return made[-1]

    monkeypatch.setattr(brokers, "connect", connect_and_keep)
    yield made
    for each in made:
        each.client.close()


@pytest.fixture
def broker(opened_brokers: list[DoorbellBroker], redis_url: str) -> DoorbellBroker:
    """A client of the queue, which is empty."""
    connected = brokers.connect(redis_url)
    connected.client.delete(connected.key(QUEUE))
    return connected


@pytest.fixture
def make_pair() -> Iterator[Callable[[str], DoorbellPair]]:
    """Makes pairs of doorbells, and closes them after the test."""
    with contextlib.ExitStack() as stack:

        def made(redis_url: str) -> DoorbellPair:
            pair = DoorbellPair(redis_url)
            stack.callback(pair.close)
            return pair

        yield made


@pytest.fixture
def pair(make_pair: Callable[[str], DoorbellPair], redis_url: str) -> DoorbellPair:
    return make_pair(redis_url)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that only this test uses, and may break."""
    with EmbeddedRedis(tmp_path) as server:
        yield server


@pytest.fixture
def black_hole(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server that accepts connections and never answers."""
    monkeypatch.setattr(brokers, "REDIS_SECONDS", SOON)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.fixture
def long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases and rings do not expire on a slow machine."""
    monkeypatch.setattr(doorbell_module, "LEASE_MILLISECONDS", 60_000)
    monkeypatch.setattr(doorbell_module, "RING_MILLISECONDS", 60_000)
