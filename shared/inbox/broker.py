"""A dramatiq broker for doorbells: one Redis list per queue, from which workers take messages without polling.

Guarantee: a message is handed over at most once. Doorbells carry no data, and the sweeper replaces lost ones, so there
are no acknowledgements, retries or delays: a failing actor is logged. Messages are checked before dramatiq sees them; a
malformed one is logged and dropped, and affects no other.

dramatiq's own broker for Redis delivers at least once. For that it keeps sets of unacknowledged messages and heartbeats
and polls, which costs four scripts a message and, in an idle worker, 80 scripts a second.

Keys in Redis:
    leadscore:dramatiq:<queue>  the encoded messages, oldest first; never more than `MAX_QUEUED`
"""

import inspect
from collections.abc import Iterable
from contextlib import suppress
from threading import BoundedSemaphore
from typing import cast
from urllib.parse import urlsplit

import redis
from dramatiq import Broker, Consumer, Message, MessageProxy
from dramatiq.errors import ActorNotFound, ConnectionClosed, DecodeError
from dramatiq.middleware import Middleware
from redis.exceptions import RedisError, ResponseError

from shared import logs
from shared.settings import StartupError

MAX_MESSAGE_BYTES = 4_096
"""A ring has about 400 bytes."""
MAX_LOGGED_BYTES = 100
"""Bytes of a dropped message that are logged."""
MAX_QUEUED = 10_000
"""Messages of a queue without workers; older ones are dropped, and the sweeper rings for their partitions."""
REDIS_SECONDS = 0.25
"""Longest time to connect to Redis, and to wait for a reply."""

_LOG = logs.get(__name__)
_UNREADABLE = "LEADSCORE_REDIS_URL: is not a URL of a Redis: percent-encode the user and the password"


class DoorbellBroker(Broker):
    """Sends messages through the Redis of `client`; do not use `enqueue` with a delay."""

    def __init__(self, client: redis.Redis, middleware: Iterable[Middleware]) -> None:
        super().__init__(list(middleware))
        self.client = client

    def key(self, queue_name: str) -> str:
        """Returns the key of the list of a queue."""
        return f"leadscore:dramatiq:{queue_name}"

    def declare_queue(self, queue_name: str) -> None:
        """Declares a queue, so that workers consume it."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[None], *, delay: int | None = None) -> Message[None]:
        """Appends a message to its queue.

        Raises:
            RedisError: Redis is unavailable; the message may have been sent.
        """
        if delay is not None:
            raise NotImplementedError("a doorbell cannot be delayed")
        key = self.key(message.queue_name)
        with self.client.pipeline(transaction=False) as pipeline:
            pipeline.rpush(key, message.encode())
            pipeline.ltrim(key, -MAX_QUEUED, -1)
            pipeline.execute()
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Returns a consumer that waits up to `timeout` milliseconds for a message, and holds up to `prefetch`."""
        return _Consumer(self, queue_name, prefetch, timeout / 1000)

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()


class _Consumer(Consumer):
    """Takes messages from the list of a queue."""

    def __init__(self, broker: DoorbellBroker, queue_name: str, prefetch: int, seconds: float) -> None:
        self._broker = broker
        self._queue_name = queue_name
        self._seconds = seconds
        self._slots = BoundedSemaphore(prefetch)
        # Waits for longer than `REDIS_SECONDS`, so it needs a connection of its own.
        arguments = broker.client.get_connection_kwargs() | {"socket_timeout": seconds + REDIS_SECONDS}
        pool = redis.ConnectionPool(broker.client.connection_pool.connection_class, **arguments)
        self._client = redis.Redis(connection_pool=pool)

    def __next__(self) -> MessageProxy | None:
        """Returns the next message, or None if none has arrived in time.

        Raises:
            ConnectionClosed: Redis is unavailable; dramatiq consumes the queue again after a pause.
        """
        if not self._slots.acquire(timeout=self._seconds):
            return None
        message = None
        try:
            message = self._take()
        finally:
            if message is None:
                self._slots.release()
        return message

    def ack(self, message: MessageProxy) -> None:
        """Makes room for another message."""
        self._slots.release()

    def nack(self, message: MessageProxy) -> None:
        """Makes room for another message; the failure has been logged."""
        self._slots.release()

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Returns the messages that a stopping worker has not begun, as far as Redis accepts them."""
        try:
            for message in messages:
                self._broker.enqueue(message._message)  # noqa: SLF001 (dramatiq has no other way to copy one)
        except RedisError as error:
            _LOG.warning("redis is unavailable; the sweeper will ring", queue=self._queue_name, error=str(error))

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def _take(self) -> MessageProxy | None:
        key = self._broker.key(self._queue_name)
        try:
            taken = self._client.blpop([key], timeout=self._seconds)
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
            self._delete_foreign_key(key)
            return None
        except RedisError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]  # dramatiq logs it
        return self._checked(cast("bytes", taken[1])) if taken else None

    def _checked(self, body: bytes) -> MessageProxy | None:
        flaw = self._flaw(body)
        if flaw:
            shown = logs.cut(repr(body[:MAX_LOGGED_BYTES]))
            _LOG.warning("malformed message dropped", queue=self._queue_name, flaw=flaw, message=shown)
            return None
        return MessageProxy(Message.decode(body))

    def _flaw(self, body: bytes) -> str:
        """Returns what is wrong with a message; empty if we could have sent it."""
        if len(body) > MAX_MESSAGE_BYTES:
            return "too long"
        try:
            message = Message.decode(body)
        except DecodeError:
            return "not a message"
        if message.queue_name != self._queue_name or not isinstance(message.message_id, str):
            return "not of this queue"
        if message.options != {} or not isinstance(message.kwargs, dict):
            return "with options or arguments that we do not set"
        try:
            inspect.signature(self._broker.get_actor(message.actor_name).fn).bind(*message.args, **message.kwargs)
        except (ActorNotFound, TypeError):
            return "not for an actor"
        return ""

    def _delete_foreign_key(self, key: str) -> None:
        """Deletes the key of the queue, which is no list; another user of this Redis has set it."""
        with suppress(RedisError):
            if self._client.type(key) not in (b"list", b"none") and self._client.delete(key):
                _LOG.warning("key of another type deleted", key=key)


def connect(redis_url: str, *middleware: Middleware) -> DoorbellBroker:
    """Returns a broker, which does not connect before its first use.

    Raises:
        StartupError: The URL is malformed; the message contains no part of it.
    """
    try:
        client = redis.Redis.from_url(redis_url, socket_connect_timeout=REDIS_SECONDS, socket_timeout=REDIS_SECONDS)
    except ValueError:
        raise StartupError(_UNREADABLE) from None  # not with the error: it may quote a part of the password
    if _is_cut_short(redis_url):
        raise StartupError(_UNREADABLE)
    return DoorbellBroker(client, middleware)


def _is_cut_short(url: str) -> bool:
    """Returns whether an @ follows the host: then part of the password was parsed as the host, and would be logged."""
    parts = urlsplit(url)
    return parts.scheme != "unix" and url.count("@") > parts.netloc.count("@")
