"""The doorbell: how a consumer learns at once that a partition of an inbox has work; it runs over Redis and dramatiq.

Guarantee: ringing never blocks and never fails, whatever Redis does. That is all: a ring may be lost and may come
twice, and a lease may be held by two. The inbox's sweeper makes up for the first, MongoDB's conflicts for the others.

Keys in Redis (dramatiq's own apart):
    leadscore:<inbox>:rung:<partition>     a ring is on its way; further ones are left out. Cleared when the drain
    begins, and by expiry.
    leadscore:<inbox>:lease:<partition>    the token of the worker that drains the partition. Cleared when the drain
    ends, and by expiry.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from redis.exceptions import RedisError

from shared import logs

RING_MILLISECONDS = 5_000
"""A ring that led to no drain in this time is forgotten, so that the sweeper's next one gets through."""
GATHER_SECONDS = 0.02
"""Under load, rings of this span go out together; the first one after a pause goes out at once."""
LEASE_MILLISECONDS = 5_000
"""A worker that died holds its partition up for this long; a living one renews before each batch."""

_RING = """
-- KEYS: rung, one per partition. ARGV: milliseconds. Returns the indexes (from 1) of those that nobody has rung for.
local first = {}
for index, key in ipairs(KEYS) do
    if redis.call('set', key, 1, 'NX', 'PX', ARGV[1]) then first[#first + 1] = index end
end
return first
"""
_RELEASE = """
-- KEYS: lease, rung. ARGV: token. Gives the lease back if it is ours, and tells whether someone rang meanwhile.
if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end
return redis.call('exists', KEYS[2])
"""
_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drain a partition, as far as Redis knows."""

    doorbell: "Doorbell"
    key: str
    token: str

    async def renew(self) -> None:
        """Keeps the lease for another `LEASE_MILLISECONDS`."""
        with contextlib.suppress(RedisError):
            await asyncio.to_thread(self.doorbell.redis.set, self.key, self.token, px=LEASE_MILLISECONDS)


class Doorbell:
    """Rings for the partitions of one inbox.

    `run()` must be running in the event loop for rings to leave the process.
    """

    def __init__(self, broker: RedisBroker, inbox: str) -> None:
        self.redis = broker.client
        self._broker = broker
        self._inbox = inbox
        self._ring = self.redis.register_script(_RING)
        self._release = self.redis.register_script(_RELEASE)
        self._waiting: set[int] = set()
        self._wake = asyncio.Event()

    @staticmethod
    def queue(inbox: str) -> str:
        """Returns the name of the dramatiq queue, and of the actor, that a ring for an inbox is sent to."""
        return f"drain_{inbox}"

    def ring(self, partitions: Iterable[int]) -> None:
        """Lets the consumer know, soon, that there is work in these partitions."""
        self._waiting.update(partitions)
        if self._waiting:
            self._wake.set()

    async def run(self) -> None:
        """Sends rings for ever; what was rung for while the last ones were sent goes out together."""
        away = False
        while True:
            await self._wake.wait()
            self._wake.clear()
            partitions, self._waiting = self._waiting, set()
            try:
                await asyncio.to_thread(self._send, sorted(partitions))
                away = False
            except RedisError as error:
                if not away:
                    _LOG.warning("redis is away; the sweeper will ring", inbox=self._inbox, error=str(error))
                away = True
            await asyncio.sleep(GATHER_SECONDS)

    @contextlib.asynccontextmanager
    async def lease(self, partition: int) -> AsyncIterator[Lease | None]:
        """Holds the lease of a partition, or yields None when another worker has it.

        Without Redis everyone gets one.
        """
        lease = Lease(self, self._key("lease", partition), secrets.token_hex(8))
        try:
            free = await asyncio.to_thread(self._take, lease, partition)
        except RedisError:
            free = True
        if not free:
            yield None
            return
        try:
            yield lease
        finally:
            with contextlib.suppress(RedisError):
                keys = [lease.key, self._key("rung", partition)]
                if await asyncio.to_thread(self._release, keys, [lease.token]):
                    # Whoever answered that ring found the lease taken and left.
                    await asyncio.to_thread(self._enqueue, partition)

    def _take(self, lease: Lease, partition: int) -> bool:
        free = bool(self.redis.set(lease.key, lease.token, nx=True, px=LEASE_MILLISECONDS))
        if free:
            # Before the first read, so that whoever commits a row from now on rings anew.
            self.redis.delete(self._key("rung", partition))
        return free

    def _send(self, partitions: list[int]) -> None:
        keys = [self._key("rung", partition) for partition in partitions]
        for index in self._ring(keys, [RING_MILLISECONDS]):
            self._enqueue(partitions[index - 1])

    def _enqueue(self, partition: int) -> None:
        name = self.queue(self._inbox)
        message: Message[None] = Message(queue_name=name, actor_name=name, args=(partition,), kwargs={}, options={})
        self._broker.enqueue(message)

    def _key(self, kind: str, partition: int) -> str:
        return f"leadscore:{self._inbox}:{kind}:{partition}"
