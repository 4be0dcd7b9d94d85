"""dramatiq, set up for doorbells.

Guarantee: messages carry no data and no retries; an actor that fails is logged and rung for again by the sweeper. A
worker opens its application in dramatiq's event loop before the first message, and closes it after the last. It stops
when it is told to, whatever Redis does.
"""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import cached_property, partial
from threading import Lock
from typing import Generic, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import redis
from dramatiq import Broker, Consumer, MessageProxy, Worker
from dramatiq.asyncio import EventLoopThread, async_to_sync, set_event_loop_thread
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import AsyncIO, Middleware, MiddlewareError
from redis.exceptions import RedisError

from shared import logs
from shared.settings import StartupError

HEARTBEAT_MILLISECONDS = 15_000
"""A worker silent for this long is taken for dead and its messages go back to the queue."""
MAINTENANCE_CHANCE = 100_000
"""In a million commands: how often one also looks for dead workers."""
IDLE_MILLISECONDS = 50
"""How long an idle worker sleeps between two looks at its queue."""
THREADS = 2
"""Threads that hand rings to the event loop, where the work is done."""
REDIS_SECONDS = 0.25
"""Longest time to connect to Redis and to wait for an answer."""

A = TypeVar("A")
T = TypeVar("T")
_LOG = logs.get(__name__)
_UNREADABLE = "LEADSCORE_REDIS_URL: is no URL of a Redis: percent-encode the user and the password"


def connect(redis_url: str, *middleware: Middleware) -> RedisBroker:
    """Returns a broker; nothing is sent to Redis before it is used.

    Raises:
        StartupError: The URL is malformed; the text holds nothing of it.
    """
    try:
        client = redis.Redis.from_url(redis_url, socket_connect_timeout=REDIS_SECONDS, socket_timeout=REDIS_SECONDS)
    except ValueError:
        raise StartupError(_UNREADABLE) from None  # not with the error: it may quote a part of the password
    if _is_cut_short(redis_url):
        raise StartupError(_UNREADABLE)
    return _Broker(  # type: ignore[no-untyped-call]
        client=client,
        middleware=list(middleware),
        namespace="leadscore:dramatiq",
        heartbeat_timeout=HEARTBEAT_MILLISECONDS,
        maintenance_chance=MAINTENANCE_CHANCE,
    )


def _is_cut_short(url: str) -> bool:
    """Tells whether an @ stands behind the host: then a part of the password is taken for it, and would be told."""
    parts = urlsplit(url)
    return parts.scheme != "unix" and url.count("@") > parts.netloc.count("@")


class _Broker(RedisBroker):
    """A broker that takes another name when it consumes a queue anew, which dramatiq does after it has lost Redis.

    What it had fetched and never seen, since the answer was lost, then comes back as from a worker that died. Under the
    name of one that lives it would stay for ever.
    """

    @property
    def consumer_class(self) -> "type[_Consumer]":
        """What consumes a queue."""
        return _Consumer

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """See `RedisBroker`."""
        if queue_name in self._consumed:
            self.broker_id = str(uuid4())
        self._consumed.add(queue_name)
        return super().consume(queue_name, prefetch, timeout)

    @cached_property
    def _consumed(self) -> set[str]:
        return set()


class _Consumer(_RedisConsumer):
    """A consumer that gives up what Redis does not take back, and then ends, so that the queue is consumed anew.

    dramatiq would acknowledge again and again, also when it is told to stop, and would not end when it cannot return
    what it fetched. A message that is given up comes back as from a worker that died, and the sweeper rings sooner.
    """

    _has_given_up = False
    _giving_up = Lock()

    def ack(self, message: MessageProxy) -> None:
        """Acknowledges a message, if that can be done."""
        self._try(super().ack, message)

    def nack(self, message: MessageProxy) -> None:
        """Acknowledges a message that failed, if that can be done."""
        self._try(super().nack, message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Returns messages to the queue, if that can be done."""
        self._try(super().requeue, messages)

    def __next__(self) -> MessageProxy | None:
        """Returns the next message, None when there is none yet."""
        if self._has_given_up:
            raise ConnectionClosed("redis did not take a message back")  # type: ignore[no-untyped-call]
        return super().__next__()  # type: ignore[no-untyped-call, no-any-return]

    def _try(self, give_back: Callable[[T], None], what: T) -> None:
        try:
            give_back(what)
        except (RedisError, ConnectionClosed) as error:
            with self._giving_up:  # the threads of a worker come here together
                is_first, self._has_given_up = not self._has_given_up, True
            if is_first:
                _LOG.warning("redis is away; the sweeper will ring", queue=self.queue_name, error=str(error))


class _EventLoop(AsyncIO):
    """dramatiq's event loop, whose thread may take as long to start as a busy machine makes it.

    dramatiq waits for a second, and goes on without a loop then.
    """

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Starts the loop."""
        thread = EventLoopThread(self.logger)
        thread.start()
        set_event_loop_thread(thread)


class _NotOpened(MiddlewareError):
    """The application could not be opened; the cause tells why."""


class Lifespan(Middleware, Generic[A]):
    """Opens an application when the worker boots and closes it when the worker has shut down, in dramatiq's loop."""

    def __init__(self, application: Callable[[], AbstractAsyncContextManager[A]]) -> None:
        self._application = application
        self._opened: AbstractAsyncContextManager[A] | None = None
        self.app: A

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Opens the application."""
        opened = self._application()
        try:
            self.app = async_to_sync(opened.__aenter__)()
        except BaseException as error:
            # dramatiq would log any other exception and go on without an application.
            raise _NotOpened from error
        self._opened = opened

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """Closes it."""
        if self._opened is not None:
            async_to_sync(self._opened.__aexit__)(None, None, None)


def work(
    redis_url: str,
    application: Callable[[RedisBroker], AbstractAsyncContextManager[A]],
    register: Callable[[Broker, Callable[[], A]], None],
) -> None:
    """Runs a worker in this process until SIGTERM or SIGINT, then lets the running jobs finish.

    `application(broker)` is opened before the first message; `register(broker, app)` declares the actors, which reach
    it by `app()`.

    Raises:
        StartupError: The application cannot be opened; the text says why.
    """
    event_loop = _EventLoop()
    broker = connect(redis_url, event_loop)
    lifespan = Lifespan(partial(application, broker))
    broker.add_middleware(lifespan)
    register(broker, lambda: lifespan.app)
    worker = Worker(broker, worker_timeout=IDLE_MILLISECONDS, worker_threads=THREADS)
    with _told_to_stop() as told:
        try:
            worker.start()
        except _NotOpened as error:
            event_loop.after_worker_shutdown(broker, worker)  # type: ignore[no-untyped-call]
            raise (error.__cause__ or error) from None
        _LOG.info("worker ready", queues=sorted(broker.get_declared_queues()))
        os.read(told, 1)
        worker.stop()
    _LOG.info("worker stopped")


@contextmanager
def _told_to_stop() -> Iterator[int]:
    """Yields what becomes readable at SIGTERM or SIGINT, also at one that comes before anybody reads.

    An event that a handler sets would not do: a handler that runs just as the wait begins can leave it waiting.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    previous = signal.set_wakeup_fd(writable)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        yield readable
    finally:
        signal.set_wakeup_fd(previous)
        os.close(readable)
        os.close(writable)
