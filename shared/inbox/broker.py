"""dramatiq, configured for doorbells.

Guarantee: messages carry no data and are not retried; a failing actor is logged, and the sweeper rings again. Messages
are checked before dramatiq sees them: a malformed one is logged and dropped, and affects no other.
"""

import inspect
from collections.abc import Callable, Iterable
from functools import cached_property
from threading import Lock
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import redis
from dramatiq import Consumer, Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ActorNotFound, ConnectionClosed, DecodeError
from dramatiq.middleware import Middleware
from redis.exceptions import RedisError, ResponseError

from shared import logs
from shared.settings import StartupError

HEARTBEAT_MILLISECONDS = 15_000
"""A worker without a heartbeat for this long is presumed dead, and its messages return to the queue."""
MAINTENANCE_CHANCE = 100_000
"""How many of a million commands also look for dead workers."""
MAX_MESSAGE_BYTES = 4_096
"""A ring has about 400 bytes."""
MAX_LOGGED_BYTES = 100
"""Bytes of a dropped message that are logged."""
REDIS_SECONDS = 0.25
"""Longest time to connect to Redis, and to wait for a reply."""

T = TypeVar("T")
_LOG = logs.get(__name__)
_UNREADABLE = "LEADSCORE_REDIS_URL: is not a URL of a Redis: percent-encode the user and the password"


def connect(redis_url: str, *middleware: Middleware) -> RedisBroker:
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
    return _Broker(  # type: ignore[no-untyped-call]
        client=client,
        middleware=list(middleware),
        namespace="leadscore:dramatiq",
        heartbeat_timeout=HEARTBEAT_MILLISECONDS,
        maintenance_chance=MAINTENANCE_CHANCE,
    )


def _is_cut_short(url: str) -> bool:
    """Returns whether an @ follows the host: then part of the password was parsed as the host, and would be logged."""
    parts = urlsplit(url)
    return parts.scheme != "unix" and url.count("@") > parts.netloc.count("@")


class _Broker(RedisBroker):
    """A broker that takes a new name when dramatiq consumes a queue again after losing Redis.

    Messages that Redis handed out but whose reply was lost then return to the queue like those of a dead worker. Under
    the name of a live worker they would stay assigned forever.
    """

    @property
    def consumer_class(self) -> "type[_Consumer]":
        """The class that consumes a queue."""
        return _Consumer

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """See `RedisBroker`."""
        if queue_name in self._consumed:
            self.broker_id = str(uuid4())
        self._consumed.add(queue_name)
        return super().consume(queue_name, prefetch, timeout)

    def do_fetch(self, queue_name: str, limit: int) -> list[bytes]:
        """Returns up to `limit` messages of a queue, and drops malformed ones.

        dramatiq would stop consuming for 3 s at each message it cannot decode, meet the message again once its worker
        is presumed dead, and keep a message with a distant `eta` prefetched forever.
        """
        try:
            fetched = self._dispatch("fetch")(queue_name, limit)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            self._delete_foreign_keys(queue_name)
            return []
        bodies = [body for body in fetched if body is not None]
        malformed = {body: flaw for body in bodies if (flaw := self._flaw(queue_name, body))}
        if malformed:
            self._drop(queue_name, malformed)
        return [body for body in bodies if body not in malformed]

    def _flaw(self, queue_name: str, body: bytes) -> str:
        """Returns what is wrong with a message; empty if we could have sent it."""
        if len(body) > MAX_MESSAGE_BYTES:
            return "too long"
        try:
            message = Message.decode(body)
        except DecodeError:
            return "not a message"
        if message.queue_name != queue_name or not isinstance(message.message_id, str):
            return "not of this queue"
        if not isinstance(message.options, dict) or not isinstance(message.kwargs, dict):
            return "not a message"
        if set(message.options) != {"redis_message_id"} or not isinstance(message.options["redis_message_id"], str):
            return "with other options than we set"
        try:
            inspect.signature(self.get_actor(message.actor_name).fn).bind(*message.args, **message.kwargs)
        except (ActorNotFound, TypeError):
            return "not for an actor"
        return ""

    def _drop(self, queue_name: str, malformed: dict[bytes, str]) -> None:
        """Removes fetched messages from Redis; only Redis knows their ids."""
        fetched, bodies = self._fetched_by(queue_name), f"{self.namespace}:{queue_name}.msgs"
        for message_id in self.client.smembers(fetched):
            if (body := self.client.hget(bodies, message_id)) in malformed:
                self.client.srem(fetched, message_id)
                self.client.hdel(bodies, message_id)
                _LOG.warning(
                    "malformed message dropped",
                    queue=queue_name,
                    flaw=malformed[body],
                    message=logs.cut(repr(body[:MAX_LOGGED_BYTES])),
                )

    def _delete_foreign_keys(self, queue_name: str) -> None:
        """Deletes keys of a queue that do not have dramatiq's type; another user of this Redis may have set them."""
        own = f"{self.namespace}:{queue_name}"
        types = {
            own: b"list",
            f"{own}.msgs": b"hash",
            self._fetched_by(queue_name): b"set",
            f"{self.namespace}:__heartbeats__": b"zset",
        }
        for key, expected in types.items():
            # The threads of a worker may find it together; one of them deletes it.
            if self.client.type(key) not in (expected, b"none") and self.client.delete(key):
                _LOG.warning("key of another type deleted", key=key)

    def _fetched_by(self, queue_name: str) -> str:
        return f"{self.namespace}:__acks__.{self.broker_id}.{queue_name}"

    @cached_property
    def _consumed(self) -> set[str]:
        return set()


class _Consumer(_RedisConsumer):
    """A consumer that abandons messages which Redis does not take back, and then ends, so that the queue is reopened.

    dramatiq would acknowledge again and again, even while stopping, and would not end when it cannot return messages.
    An abandoned message returns like that of a dead worker, and the sweeper rings sooner.
    """

    _has_given_up = False
    _giving_up = Lock()

    def ack(self, message: MessageProxy) -> None:
        """Acknowledges a message if Redis accepts it."""
        self._try(super().ack, message)

    def nack(self, message: MessageProxy) -> None:
        """Acknowledges a failed message if Redis accepts it."""
        self._try(super().nack, message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Returns messages to the queue if Redis accepts them."""
        self._try(super().requeue, messages)

    def __next__(self) -> MessageProxy | None:
        """Returns the next message, or None if there is none yet."""
        if self._has_given_up:
            raise ConnectionClosed("redis did not take a message back")  # type: ignore[no-untyped-call]
        return super().__next__()  # type: ignore[no-untyped-call, no-any-return]

    def _try(self, give_back: Callable[[T], None], what: T) -> None:
        try:
            give_back(what)
        except (RedisError, ConnectionClosed) as error:
            with self._giving_up:  # the threads of a worker may arrive here at the same time
                is_first, self._has_given_up = not self._has_given_up, True
            if is_first:
                _LOG.warning("redis is unavailable; the sweeper will ring", queue=self.queue_name, error=str(error))
