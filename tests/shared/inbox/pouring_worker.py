"""A worker whose messages are cups to pour, and the signal that stops it."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import dramatiq

from shared.inbox import worker as workers
from shared.inbox.broker import DoorbellBroker
from shared.settings import WorkerSettings
from shared.watchdog import Heartbeat

QUEUE = "pour"


class Teapot:
    """An application that notes what happens to it; opening it raises `broken`, if given."""

    def __init__(self, broken: Exception | None = None) -> None:
        self.notes: list[str] = []
        self.heartbeat = Heartbeat()
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self._broken = broken

    @contextlib.asynccontextmanager
    async def open(self, broker: DoorbellBroker) -> AsyncIterator["Teapot"]:
        """Opens the teapot, which takes a turn of the event loop."""
        await self.note("opening")
        if self._broken is not None:
            raise self._broken
        await self.note("open")
        yield self
        await self.note("closed")

    async def note(self, what: str) -> None:
        """Notes an event, and the loop in which it happened."""
        self.loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        self.notes.append(what)


def register(pour: Callable[[Teapot, int], object], broker: dramatiq.Broker, app: Callable[[], Teapot]) -> None:
    """Declares an actor that notes its message and then calls `pour`."""

    @dramatiq.actor(broker=broker, actor_name=QUEUE, queue_name=QUEUE)
    async def actor(cup: int) -> None:
        await app().note(f"cup {cup}")
        pour(app(), cup)


class StopSignal(threading.Thread):
    """Sends this process a signal repeatedly until the test is over, since a single one can be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.number = signal.SIGTERM
        self._asked = threading.Event()
        self._over = threading.Event()

    def start_sending(self) -> None:
        """Starts sending."""
        self._asked.set()

    def run(self) -> None:
        """Sends the signal until the end of the test."""
        self._asked.wait()
        while not self._over.is_set():
            os.kill(os.getpid(), self.number)
            self._over.wait(0.2)

    def end(self) -> None:
        """Stops sending."""
        self._over.set()
        self._asked.set()
        self.join()


def run_worker(
    redis_url: str,
    application: Callable[[DoorbellBroker], contextlib.AbstractAsyncContextManager[Teapot]],
    register: Callable[[dramatiq.Broker, Callable[[], Teapot]], None],
) -> None:
    """Runs a worker without a health port."""
    silent: dict[str, Any] = {"health_port": 0}
    workers.work(WorkerSettings(**silent), redis_url, "127.0.0.1", application, register, "worker")


def stop_at(last: int, stop_signal: StopSignal) -> Callable[[Teapot, int], object]:
    """Returns a `pour` that stops the worker after the given message."""
    return lambda _, cup: stop_signal.start_sending() if cup == last else None


def send(broker: DoorbellBroker, *cups: int) -> None:
    for cup in cups:
        broker.enqueue(dramatiq.Message(queue_name=QUEUE, actor_name=QUEUE, args=(cup,), kwargs={}, options={}))


def waiting(broker: DoorbellBroker) -> int:
    """Returns the number of messages in the queue."""
    return int(broker.client.llen(broker.key(QUEUE)))
