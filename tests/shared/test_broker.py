"""A worker opens its application before the first message and closes it after the last."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import dramatiq
import pytest
import redis
from dramatiq.asyncio import EventLoopThread
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError
from structlog.testing import capture_logs

from cli.local.embedded import EmbeddedRedis
from shared.inbox import broker as brokers
from shared.inbox import worker as workers
from shared.settings import StartupError, WorkerSettings
from shared.watchdog import Heartbeat

QUEUE = "pour"
ROUNDS = 20
PROGRAM = """
import asyncio, contextlib, os, signal, sys, threading
import dramatiq
from shared.inbox import broker as brokers
from shared.inbox import worker as workers
from shared.settings import WorkerSettings
from shared.watchdog import Heartbeat

class Application: heartbeat = Heartbeat()
class Watch(dramatiq.Middleware):
    def before_worker_shutdown(self, broker, worker): stopping.set()

@contextlib.asynccontextmanager
async def application(broker):
    broker.add_middleware(Watch())
    yield Application()

def register(broker, app):
    @dramatiq.actor(broker=broker, actor_name="pour", queue_name="pour")
    async def actor():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.to_thread(stopping.wait, 10)

brokers.REDIS_SECONDS = 10.0
client = brokers.connect(sys.argv[1])
for _ in range(int(sys.argv[2])):
    stopping = threading.Event()
    client.flush("pour")
    client.enqueue(dramatiq.Message(queue_name="pour", actor_name="pour", args=(), kwargs={}, options={}))
    overdue = threading.Timer(30, os._exit, [3])
    overdue.start()
    workers.work(WorkerSettings(health_port=0), sys.argv[1], "127.0.0.1", application, register)
    overdue.cancel()
"""
"""Runs workers one after the other, each told to stop about when it becomes ready; status 3: one did not stop."""
STUCK = """
import asyncio, contextlib, sys, threading
import dramatiq
from shared import logs
from shared.inbox import broker as brokers
from shared.inbox import worker as workers
from shared.settings import WorkerSettings
from shared.watchdog import Heartbeat

class Application: heartbeat = Heartbeat()
stopping = threading.Event()

class Watch(dramatiq.Middleware):
    def before_worker_shutdown(self, broker, worker): stopping.set()

@contextlib.asynccontextmanager
async def application(broker):
    broker.add_middleware(Watch())
    yield Application()
    print("closed", flush=True)

def register(broker, app):
    @dramatiq.actor(broker=broker, actor_name="pour", queue_name="pour")
    async def actor(cup):
        print("pouring", flush=True)
        await asyncio.to_thread(stopping.wait, 60)

logs.configure("test", "info")
workers.work(WorkerSettings(health_port=0), sys.argv[1], "127.0.0.1", application, register)
"""
"""Runs a worker whose messages end when it is told to stop."""
NOBODY = "redis://127.0.0.1:1/0"


class Teapot:
    """An application that notes what becomes of it; `broken` is what opening it raises."""

    def __init__(self, broken: Exception | None = None) -> None:
        self.notes: list[str] = []
        self.heartbeat = Heartbeat()
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self._broken = broken

    @contextlib.asynccontextmanager
    async def open(self, broker: RedisBroker) -> AsyncIterator["Teapot"]:
        """Opens it; it takes a moment of the loop."""
        await self.note("opening")
        if self._broken is not None:
            raise self._broken
        await self.note("open")
        yield self
        await self.note("closed")

    async def note(self, what: str) -> None:
        """Notes something, and in which loop it was."""
        self.loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        self.notes.append(what)


def register(pour: Callable[[Teapot, int], object], broker: dramatiq.Broker, app: Callable[[], Teapot]) -> None:
    """Declares an actor that notes its message, and then does what the test asks for."""

    @dramatiq.actor(broker=broker, actor_name=QUEUE, queue_name=QUEUE)
    async def actor(cup: int) -> None:
        await app().note(f"cup {cup}")
        pour(app(), cup)


class Bell(threading.Thread):
    """Sends this process a signal, again and again until the test is over: a single one can be lost, see below."""

    def __init__(self) -> None:
        super().__init__()
        self.number = signal.SIGTERM
        self._asked = threading.Event()
        self._over = threading.Event()

    def stop_the_worker(self) -> None:
        """Begins to send."""
        self._asked.set()

    def run(self) -> None:
        """Sends."""
        self._asked.wait()
        while not self._over.is_set():
            os.kill(os.getpid(), self.number)
            self._over.wait(0.2)

    def end(self) -> None:
        """Ends sending."""
        self._over.set()
        self._asked.set()
        self.join()


def work(
    redis_url: str,
    application: Callable[[RedisBroker], contextlib.AbstractAsyncContextManager[Teapot]],
    register: Callable[[dramatiq.Broker, Callable[[], Teapot]], None],
) -> None:
    """Runs a worker that tells nobody its health."""
    silent: dict[str, Any] = {"health_port": 0}
    workers.work(WorkerSettings(**silent), redis_url, "127.0.0.1", application, register)


def stop_at(last: int, bell: Bell) -> Callable[[Teapot, int], object]:
    """Returns what ends the worker when it has got this message."""
    return lambda _, cup: bell.stop_the_worker() if cup == last else None


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Puts the handlers of signals back that a worker has set."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def bell(_signals: None) -> Iterator[Bell]:
    """What tells the worker to stop; it is silent when the handlers are put back."""
    thread = Bell()
    thread.start()
    yield thread
    thread.end()


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RedisBroker]]:
    """All brokers of a test; their connections are closed after it."""
    made: list[RedisBroker] = []
    connect = brokers.connect

    def connect_and_keep(url: str, *middleware: dramatiq.Middleware) -> RedisBroker:
        made.append(connect(url, *middleware))
        return made[-1]

    monkeypatch.setattr(brokers, "connect", connect_and_keep)
    yield made
    for each in made:
        each.client.close()


@pytest.fixture
def broker(opened: list[RedisBroker], redis_url: str) -> RedisBroker:
    """A client of the queue, which is empty."""
    connected = brokers.connect(redis_url)
    connected.flush(QUEUE)
    return connected


def send(broker: RedisBroker, *cups: int) -> None:
    for cup in cups:
        broker.enqueue(dramatiq.Message(queue_name=QUEUE, actor_name=QUEUE, args=(cup,), kwargs={}, options={}))


def declare(broker: RedisBroker, queue: str) -> None:
    """Declares an actor that does nothing: what is for no actor is dropped."""

    @dramatiq.actor(broker=broker, actor_name=queue, queue_name=queue)
    def actor(cup: int) -> None:
        pass


def waiting(broker: RedisBroker) -> int:
    """Returns the number of messages that are in the queue or with a worker."""
    return int(broker.client.hlen(f"{broker.namespace}:{QUEUE}.msgs"))


def test_a_worker_opens_before_the_first_message_and_closes_after_the_last(
    broker: RedisBroker, redis_url: str, bell: Bell
) -> None:
    send(broker, 1, 2, 3)
    teapot = Teapot()
    work(redis_url, teapot.open, partial(register, stop_at(3, bell)))
    assert teapot.notes[:2] == ["opening", "open"]
    assert sorted(teapot.notes[2:-1]) == ["cup 1", "cup 2", "cup 3"]
    assert teapot.notes[-1] == "closed"
    assert len(teapot.loops) == 1, "everything is expected in one event loop"
    assert waiting(broker) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_finishes_what_runs_when_it_is_told_to_stop(
    broker: RedisBroker, redis_url: str, bell: Bell, number: signal.Signals
) -> None:
    stopping = threading.Event()
    bell.number = number

    def register_slow(broker: dramatiq.Broker, app: Callable[[], Teapot]) -> None:
        @dramatiq.actor(broker=broker, actor_name=QUEUE, queue_name=QUEUE)
        async def actor(cup: int) -> None:
            bell.stop_the_worker()
            await asyncio.to_thread(stopping.wait, 10)
            await app().note(f"cup {cup}")

    class Watch(dramatiq.Middleware):
        def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
            stopping.set()

    def open_watched(broker: RedisBroker) -> contextlib.AbstractAsyncContextManager[Teapot]:
        broker.add_middleware(Watch())
        return teapot.open(broker)

    send(broker, 1)
    teapot = Teapot()
    work(redis_url, open_watched, register_slow)
    assert teapot.notes == ["opening", "open", "cup 1", "closed"]
    assert waiting(broker) == 0


def test_a_message_that_fails_is_logged_not_retried_and_harms_no_other(
    broker: RedisBroker, redis_url: str, bell: Bell, caplog: pytest.LogCaptureFixture
) -> None:
    def pour(teapot: Teapot, cup: int) -> None:
        if cup == 1:
            send(broker, 2)
            raise ZeroDivisionError
        stop_at(2, bell)(teapot, cup)

    send(broker, 1)
    teapot = Teapot()
    work(redis_url, teapot.open, partial(register, pour))
    assert teapot.notes == ["opening", "open", "cup 1", "cup 2", "closed"]
    assert waiting(broker) == 0
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("error", [StartupError("the teapot is missing"), ZeroDivisionError()])
def test_an_application_that_cannot_be_opened_surfaces_as_its_own_error(
    broker: RedisBroker, redis_url: str, bell: Bell, error: Exception
) -> None:
    send(broker, 1)
    teapot = Teapot(error)
    with pytest.raises(type(error)) as caught:
        work(redis_url, teapot.open, partial(register, stop_at(1, bell)))
    assert caught.value is error
    assert teapot.notes == ["opening"]
    assert waiting(broker) == 1, "the message is expected to wait for another worker"
    assert all(not loop.is_running() for loop in teapot.loops), "no event loop is expected to stay behind"


def test_a_worker_says_when_it_is_ready_and_when_it_has_stopped(
    broker: RedisBroker, redis_url: str, bell: Bell
) -> None:
    send(broker, 1)
    with capture_logs() as lines:
        work(redis_url, Teapot().open, partial(register, stop_at(1, bell)))
    told = [line for line in lines if line["event"] != "health"]
    assert [line["event"] for line in told] == ["worker ready", "worker stopped"]
    assert told[0]["queues"] == [QUEUE]


def test_an_event_loop_that_starts_late_is_waited_for(
    broker: RedisBroker, redis_url: str, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = EventLoopThread.run

    def run_late(thread: EventLoopThread) -> None:
        threading.Event().wait(1.2)  # dramatiq itself waits for a second
        run(thread)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(EventLoopThread, "run", run_late)
    send(broker, 1)
    teapot = Teapot()
    work(redis_url, teapot.open, partial(register, stop_at(1, bell)))
    assert teapot.notes[0] == "opening"
    assert waiting(broker) == 0, "the message is expected to be done"


def test_nothing_is_sent_before_a_broker_is_used() -> None:
    assert brokers.connect(NOBODY).middleware == []


@pytest.mark.parametrize("url", ["nonsense", "redis://127.0.0.1:port/0", "http://127.0.0.1/"])
def test_a_malformed_url_is_told_in_one_line(url: str) -> None:
    with pytest.raises(StartupError, match=r"^LEADSCORE_REDIS_URL: "):
        brokers.connect(url)


@pytest.mark.parametrize(
    "password", ["hunter/two", "hunter?two", "hunter#two", "hunter[two", "hunter@5678/two", "5678/two", "5678?a=two"]
)
def test_no_part_of_a_password_that_is_not_encoded_is_told(password: str) -> None:
    with pytest.raises(StartupError, match="percent-encode the user and the password") as caught:
        brokers.connect(f"redis://:{password}@127.0.0.1:6379/0")
    assert not {part for part in ("hunter", "two", "5678") if part in str(caught.value)}


@pytest.mark.parametrize("url", ["redis://:hunter%2Ftwo@127.0.0.1/0", "redis://:hunter@two@127.0.0.1/0"])
def test_a_password_that_can_be_read_is_taken(url: str) -> None:
    assert brokers.connect(url).client.get_connection_kwargs()["host"] == "127.0.0.1"


def test_a_signal_that_comes_as_the_worker_becomes_ready_is_not_lost(redis_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, redis_url, str(ROUNDS)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, "expected every worker to stop within 30 s"


def kill(server: EmbeddedRedis) -> None:
    server.kill()


def freeze(server: EmbeddedRedis) -> None:
    os.kill(server.pid, signal.SIGSTOP)


def fill(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", 1)


@pytest.mark.parametrize("break_", [kill, freeze, fill])
def test_a_worker_that_is_told_to_stop_while_redis_is_away_stops(
    break_: Callable[[EmbeddedRedis], None], tmp_path: Path
) -> None:
    with EmbeddedRedis(tmp_path) as server:
        send(brokers.connect(server.url), *range(3 * workers.THREADS))  # some run, and some were fetched to run next
        with subprocess.Popen(
            [sys.executable, "-c", STUCK, server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as worker:
            try:
                assert worker.stdout is not None
                assert [worker.stdout.readline() for _ in range(workers.THREADS)] == ["pouring\n"] * workers.THREADS
                break_(server)
                worker.send_signal(signal.SIGTERM)
                out, log = worker.communicate(timeout=90)
            finally:
                worker.kill()
                server.kill()
    assert worker.returncode == 0
    assert out.endswith("closed\n"), "a message that was fetched may be poured first"
    assert log.count("the sweeper will ring") == 1
    assert "Traceback" not in log


def test_that_redis_is_away_is_told_once_also_when_two_threads_find_out_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = brokers.connect(NOBODY).consume(QUEUE)
    message = dramatiq.MessageProxy(
        dramatiq.Message(queue_name=QUEUE, actor_name=QUEUE, args=(1,), kwargs={}, options={"redis_message_id": "1"})
    )
    told: list[str] = []

    def tell(event: str, **_: object) -> None:
        told.append(event)
        if len(told) < workers.THREADS:
            consumer.ack(message)  # as the other thread does at this moment

    monkeypatch.setattr(brokers, "_LOG", Mock(warning=tell))
    consumer.ack(message)
    assert told == ["redis is unavailable; the sweeper will ring"]


def test_what_could_not_be_acknowledged_comes_back_to_the_same_worker(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "HEARTBEAT_MILLISECONDS", 100)
    monkeypatch.setattr(brokers, "MAINTENANCE_CHANCE", 1_000_000)
    broker = brokers.connect(redis_url)
    broker.flush(QUEUE)
    declare(broker, QUEUE)
    send(broker, 1)
    consumer = broker.consume(QUEUE)
    message = next(consumer)
    assert message is not None
    broker.client.config_set("maxmemory", 1)
    try:
        consumer.ack(message)
    finally:
        broker.client.config_set("maxmemory", 0)
    with pytest.raises(BrokerConnectionError):  # so that dramatiq consumes the queue anew
        next(consumer)
    again = broker.consume(QUEUE, timeout=20)
    found = next((message for _ in range(200) if (message := next(again))), None)
    assert found is not None, "expected it to come back"
    again.ack(found)
    assert broker.do_qsize(QUEUE) == 0


def test_what_a_lost_answer_took_along_comes_back_to_the_same_worker(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "HEARTBEAT_MILLISECONDS", 100)
    monkeypatch.setattr(brokers, "MAINTENANCE_CHANCE", 1_000_000)
    queue = "lost"
    broker = brokers.connect(redis_url)
    broker.flush(queue)
    declare(broker, queue)
    broker.consume(queue)
    broker.enqueue(dramatiq.Message(queue_name=queue, actor_name=queue, args=(1,), kwargs={}, options={}))
    assert broker.do_fetch(queue, 1), "expected the message, whose answer shall not be seen"
    again = broker.consume(queue, timeout=20)
    found = next((message for _ in range(200) if (message := next(again))), None)
    assert found is not None, "expected it to come back"
    again.ack(found)
    assert broker.do_qsize(queue) == 0


def body(**changes: Any) -> bytes:
    """Returns a message as dramatiq writes it, with fields of it changed."""
    message: dramatiq.Message[None] = dramatiq.Message(QUEUE, QUEUE, args=(1,), kwargs={}, options={})
    return json.dumps(message.asdict() | {"options": {"redis_message_id": "bad"}} | changes).encode()


MALFORMED = [
    b"",
    b"\xff\x00",
    b"nonsense",
    b"[]",
    b"7",
    b"{}",
    b"[" * 3000,
    b" " * 10_000,
    body(args=7),
    body(args=[]),
    body(args=[1, 2]),
    body(kwargs=[]),
    body(kwargs={"saucer": 1}),
    body(actor_name="brew"),
    body(actor_name=["pour"]),
    body(queue_name="brew"),
    body(queue_name=None),
    body(message_id=[]),
    body(options={}),
    body(options=[]),
    body(options={"redis_message_id": 7}),
    body(options={"redis_message_id": "bad", "eta": 1 << 60}),
    body(options={"redis_message_id": "bad", "pipe_target": 7}),
    body(more=1),
]


def put(broker: RedisBroker, message: bytes) -> None:
    """Puts a message into the queue as anyone can who reaches Redis."""
    broker.do_enqueue(QUEUE, f"bad-{uuid.uuid4()}", message)


def test_malformed_messages_are_dropped_with_a_line_each_and_the_next_one_is_done(
    broker: RedisBroker, redis_url: str, bell: Bell
) -> None:
    for message in MALFORMED:
        put(broker, message)
    broker.client.rpush(f"{broker.namespace}:{QUEUE}", "the id of no message")
    send(broker, 1)
    teapot = Teapot()
    with capture_logs() as lines:
        work(redis_url, teapot.open, partial(register, stop_at(1, bell)))
    assert teapot.notes == ["opening", "open", "cup 1", "closed"]
    told = [line for line in lines if line["event"] == "malformed message dropped"]
    assert len(told) == len(MALFORMED)
    assert all(line["flaw"] and len(line["message"]) <= 500 for line in told)
    assert waiting(broker) == 0
    assert int(broker.client.llen(f"{broker.namespace}:{QUEUE}")) == 0


@pytest.mark.parametrize("key", [f"{QUEUE}", f"{QUEUE}.msgs", "__heartbeats__"])
def test_a_key_of_another_type_does_not_keep_rings_out(
    broker: RedisBroker, redis_url: str, bell: Bell, key: str
) -> None:
    broker.client.delete(f"{broker.namespace}:{key}")
    broker.client.set(f"{broker.namespace}:{key}", "a string")
    teapot = Teapot()
    sender = threading.Thread(target=send_when_possible, args=(broker, 1))
    sender.start()
    with capture_logs() as lines:
        work(redis_url, teapot.open, partial(register, stop_at(1, bell)))
    sender.join()
    assert "cup 1" in teapot.notes
    assert [line["event"] for line in lines if "key" in line] == ["key of another type deleted"]


def send_when_possible(broker: RedisBroker, cup: int) -> None:
    """Sends as the sweeper does: again and again."""
    while True:
        try:
            send(broker, cup)
        except redis.ResponseError:
            threading.Event().wait(0.02)
        else:
            return
