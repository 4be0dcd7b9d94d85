"""The worker: a process that answers doorbells until SIGTERM or SIGINT.

Guarantee: its application is opened in dramatiq's event loop before the first message, and closed there after the last.
The worker stops at a signal, whatever Redis does, and on its own when a part of it fails. It serves health on a port of
its own: SERVING means that every drain loop has turned within the last `MAX_SILENT_SECONDS`.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from typing import Generic, Protocol, TypeVar

from dramatiq import Broker, Worker
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread, set_event_loop_thread
from dramatiq.middleware import AsyncIO, Middleware, MiddlewareError

from shared import logs
from shared.event_loops import new_event_loop
from shared.inbox import broker as brokers
from shared.inbox.broker import DoorbellBroker
from shared.metrics.page import serving_metrics
from shared.rpc.health import Health, serving_health
from shared.rpc.tls import server_credentials
from shared.settings import WorkerSettings
from shared.traces.export import exporting_traces
from shared.watchdog import Heartbeat, watching

IDLE_MILLISECONDS = 500
"""How long an idle worker waits for a message before it checks whether to stop."""
THREADS = 2
"""Threads that hand rings to the event loop, where the work is done."""
_LOG = logs.get(__name__)


class Application(Protocol):
    """What a worker runs."""

    @property
    def heartbeat(self) -> Heartbeat:
        """Where its loops say that they turn."""


A = TypeVar("A", bound=Application)


class _EventLoop(AsyncIO):
    """dramatiq's event loop, of our kind and started without a time limit.

    dramatiq itself waits for a second, and then goes on without a loop; on a busy machine the start can take longer.
    """

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Starts the loop."""
        thread = EventLoopThread(self.logger)
        thread.loop.close()
        thread.loop = new_event_loop()
        thread.start()
        set_event_loop_thread(thread)


class _NotOpened(MiddlewareError):
    """The application could not be opened; see the cause."""


class Lifespan(Middleware, Generic[A]):
    """Opens an application when the worker boots, and closes it when the worker has shut down, in dramatiq's loop.

    One task holds it open in between, so that the failure of any part of the application reaches the worker:
    `on_failure` is called in the thread of the loop, and `failure` is the error.
    """

    def __init__(
        self,
        application: Callable[[], AbstractAsyncContextManager[A]],
        health: Callable[[Heartbeat], AbstractAsyncContextManager[Health]],
        on_failure: Callable[[], object],
    ) -> None:
        self._application = application
        self._health = health
        self._on_failure = on_failure
        self._opened: Future[None] = Future()
        self._closed: Future[None] | None = None
        self._close = asyncio.Event()
        self._servicer: Health
        self.app: A
        self.failure: BaseException | None = None

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Opens the application."""
        self._closed = asyncio.run_coroutine_threadsafe(self._live(), _loop())
        try:
            self._opened.result()
        except BaseException as error:
            # dramatiq would log any other exception and continue without an application.
            raise _NotOpened from error

    def leave(self) -> None:
        """Reports that the worker no longer serves."""
        asyncio.run_coroutine_threadsafe(self._servicer.enter_graceful_shutdown(), _loop()).result()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """Closes the application."""
        if self._closed is not None:
            _loop().call_soon_threadsafe(self._close.set)
            self._closed.result()

    async def _live(self) -> None:
        try:
            async with self._application() as self.app:
                with watching(self.app.heartbeat):
                    async with self._health(self.app.heartbeat) as self._servicer:
                        self._opened.set_result(None)
                        await self._close.wait()
        except BaseException as error:  # noqa: BLE001 (it belongs to the thread that waits for it)
            if self._opened.done():
                self.failure = error
                self._on_failure()
            else:
                self._opened.set_exception(error)


def work(
    settings: WorkerSettings,
    redis_url: str,
    host: str,
    application: Callable[[DoorbellBroker], AbstractAsyncContextManager[A]],
    register: Callable[[Broker, Callable[[], A]], None],
    name: str,
) -> None:
    """Runs a worker in this process until SIGTERM or SIGINT, then lets running jobs finish.

    `application(broker)` is opened before the first message. `register(broker, app)` declares the actors, which reach
    the application through `app()`. Health is served on `host`, for the empty name and `name`, and spans bear `name`.

    Raises:
        StartupError: The application cannot be opened, or the port for health or metrics is taken, or a certificate
            file cannot be used; the message says why.
        Exception: The application has failed; it is closed, and the process should end.
    """
    event_loop = _EventLoop()
    broker = brokers.connect(redis_url, event_loop)
    with serving_metrics(settings), exporting_traces(name), _stop_signal() as (stopped, stop):
        lifespan = Lifespan(partial(application, broker), partial(_health, host, settings, name), stop)
        broker.add_middleware(lifespan)
        register(broker, lambda: lifespan.app)
        worker = Worker(broker, worker_timeout=IDLE_MILLISECONDS, worker_threads=THREADS)
        try:
            worker.start()
        except _NotOpened as error:
            event_loop.after_worker_shutdown(broker, worker)  # type: ignore[no-untyped-call]
            raise (error.__cause__ or error) from None
        _LOG.info("worker ready", queues=sorted(broker.get_declared_queues()), health_port=settings.health_port)
        os.read(stopped, 1)
        if lifespan.failure:
            # Messages in progress wait for loops that have ended; they are lost, and the sweeper rings again.
            raise lifespan.failure
        lifespan.leave()
        worker.stop()
        if lifespan.failure:
            raise lifespan.failure
    _LOG.info("worker stopped")


def _health(
    host: str, settings: WorkerSettings, name: str, heartbeat: Heartbeat
) -> AbstractAsyncContextManager[Health]:
    async def probe() -> bool:
        return heartbeat.is_alive()

    return serving_health(host, settings.health_port, probe, name, credentials=server_credentials(settings))


def _loop() -> asyncio.AbstractEventLoop:
    thread = get_event_loop_thread()
    if thread is None:
        raise RuntimeError("dramatiq has no event loop")
    return thread.loop


@contextmanager
def _stop_signal() -> Iterator[tuple[int, Callable[[], object]]]:
    """Yields a file descriptor that becomes readable at SIGTERM or SIGINT, and a function that makes it readable.

    The signal may arrive before the first read, and the function may be called from any thread. A handler that sets an
    event would not do: if it runs just as the wait begins, the wait may never end.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    previous = signal.set_wakeup_fd(writable)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        yield readable, partial(os.write, writable, b"\0")
    finally:
        signal.set_wakeup_fd(previous)
        os.close(readable)
        os.close(writable)
