"""The doorbell: tells a consumer at once that a partition of an inbox has work, through Redis and dramatiq.

Guarantee: ringing never blocks and never fails, whatever Redis does or contains. Nothing else is guaranteed: a ring may
be lost or arrive twice, and two workers may hold the same lease. The inbox's sweeper replaces lost rings, and conflicts
in MongoDB resolve the rest.

Keys in Redis, besides the queues of `shared.inbox.broker`:
    leadscore:<inbox>:rung:<partition>     a ring is on its way, so further rings are skipped. Cleared when a drain
                                           begins, and by expiry.
    leadscore:<inbox>:lease:<partition>    the token of the drain that holds the partition. Cleared when the drain
                                           ends, and by expiry.
    leadscore:<inbox>:crashes:<partition>  how many drains have begun since the last one ended, with or without an
                                           error. More than one means that a worker died. Cleared when a drain ends,
                                           and by expiry.

A key of these that never expires was not set by this module, and is deleted.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from dramatiq import Message
from redis.exceptions import InvalidResponse, RedisError

from shared import logs
from shared.inbox.broker import DoorbellBroker
from shared.settings import MAX_PARTITIONS

RING_MILLISECONDS = 5_000
"""A ring that led to no drain within this time is forgotten, so that the next one of the sweeper gets through."""
GATHER_SECONDS = 0.02
"""Period whose rings are sent together by default."""
MAX_TOGETHER = 16
"""Partitions per message; more would leave too little for other workers."""
LEASE_MILLISECONDS = 5_000
"""A dead worker blocks its partitions for this long; a live one renews its lease before each batch."""
CRASH_COUNT_MILLISECONDS = 600_000
"""How long the death of a worker in a partition is remembered."""
MAX_CRASHES = 10
"""The largest crash count of a lease: by then, a drain is as small as it can be."""

_RING = """
-- KEYS: rung, one per partition. ARGV: milliseconds. Returns the indexes (from 1) of partitions not rung yet.
local first = {}
for index, key in ipairs(KEYS) do
    if redis.call('pttl', key) == -1 then redis.call('del', key) end
    if redis.call('set', key, 1, 'NX', 'PX', ARGV[1]) then first[#first + 1] = index end
end
return first
"""
_TAKE = """
-- KEYS: lease, rung, crashes, lease, rung, crashes, … ARGV: token, milliseconds, milliseconds of crashes. Returns the
-- indexes (from 1) of the leased partitions, the indexes of free partitions that must be leased alone because a worker
-- died in them, and the number of those crashes if only one partition was requested.
-- The ring is cleared before the drain's first read, so that a row committed from now on rings again.
local taken, isolated, crashes = {}, {}, 0
for index = 1, #KEYS / 3 do
    local lease, rung, count = KEYS[3 * index - 2], KEYS[3 * index - 1], KEYS[3 * index]
    for _, key in ipairs({lease, count}) do
        if redis.call('pttl', key) == -1 then redis.call('del', key) end
    end
    if #KEYS > 3 and redis.call('exists', count) == 1 and redis.call('exists', lease) == 0 then
        isolated[#isolated + 1] = index
    elseif redis.call('set', lease, ARGV[1], 'NX', 'PX', ARGV[2]) then
        redis.call('del', rung)
        crashes = redis.call('incr', count) - 1
        redis.call('pexpire', count, ARGV[3])
        taken[#taken + 1] = index
    end
end
return {taken, isolated, crashes}
"""
_RENEW = """
-- KEYS: lease, one per partition. ARGV: token, milliseconds. Extends the leases that are still ours.
for _, key in ipairs(KEYS) do
    if redis.call('get', key) == ARGV[1] then redis.call('pexpire', key, ARGV[2]) end
end
"""
_RELEASE = """
-- KEYS: lease, rung, crashes, lease, rung, crashes, … ARGV: token. Releases the leases that are still ours, and
-- returns the indexes (from 1) of the partitions that were rung in the meantime: the worker that answered those rings
-- found the lease taken and left.
local rung = {}
for index = 1, #KEYS / 3 do
    if redis.call('get', KEYS[3 * index - 2]) == ARGV[1] then redis.call('del', KEYS[3 * index - 2]) end
    if redis.call('exists', KEYS[3 * index - 1]) == 1 then rung[#rung + 1] = index end
    redis.call('del', KEYS[3 * index])
end
return rung
"""
_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drain some partitions, according to Redis.

    Workers died while draining the `isolated` partitions, so these must be leased alone. `crashes` is the number of
    consecutive deaths in the only partition of this lease.
    """

    partitions: Sequence[int]
    token: str
    isolated: Sequence[int] = ()
    crashes: int = 0


class Doorbell:
    """Rings for the partitions of one inbox; `run()` must be running for rings to leave the process.

    The first ring after a pause is sent at once. Rings that follow within `gather_seconds` are sent together, so that
    the rows of a steady trickle share drains: that saves CPU and delays them.
    """

    def __init__(self, broker: DoorbellBroker, inbox: str, *, gather_seconds: float = GATHER_SECONDS) -> None:
        self._broker = broker
        self._inbox = inbox
        self._gather_seconds = gather_seconds
        self._ring = broker.client.register_script(_RING)
        self._take = broker.client.register_script(_TAKE)
        self._extend = broker.client.register_script(_RENEW)
        self._release = broker.client.register_script(_RELEASE)
        self._waiting: set[int] = set()
        self._wake = asyncio.Event()

    @staticmethod
    def queue(inbox: str) -> str:
        """Returns the name of the dramatiq queue, and of the actor, that a ring for an inbox is sent to."""
        return f"drain_{inbox}"

    def ring(self, partitions: Iterable[int]) -> None:
        """Notifies the consumer soon that these partitions have work."""
        self._waiting.update(filter(is_partition, partitions))
        if self._waiting:
            self._wake.set()

    async def run(self) -> None:
        """Sends rings forever. Rings that arrive while others are being sent go out together."""
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
                    _LOG.warning("redis is unavailable; the sweeper will ring", inbox=self._inbox, error=str(error))
                away = True
            await asyncio.sleep(self._gather_seconds)

    @contextlib.asynccontextmanager
    async def lease(self, partitions: Sequence[int]) -> AsyncIterator[Lease]:
        """Holds the leases of the partitions that no other drain holds; without Redis, of all of them."""
        lease = Lease(partitions, secrets.token_hex(8))
        with contextlib.suppress(RedisError):
            lease = await asyncio.to_thread(self._take_free, partitions, lease.token)
        try:
            yield lease
        finally:
            with contextlib.suppress(RedisError):
                await asyncio.to_thread(self._give_back, lease)

    async def renew(self, lease: Lease) -> None:
        """Extends a lease by `LEASE_MILLISECONDS`."""
        keys = [self._key("lease", partition) for partition in lease.partitions]
        with contextlib.suppress(RedisError):
            await asyncio.to_thread(lambda: self._extend(keys, [lease.token, LEASE_MILLISECONDS]))

    def _send(self, partitions: Sequence[int]) -> None:
        keys = [self._key("rung", partition) for partition in partitions]
        self._enqueue(_chosen(partitions, self._ring(keys, [RING_MILLISECONDS])))

    def _take_free(self, partitions: Sequence[int], token: str) -> Lease:
        reply = self._take(self._keys(partitions), [token, LEASE_MILLISECONDS, CRASH_COUNT_MILLISECONDS])
        match reply:
            case [taken, isolated, int(crashes)]:
                crashes = min(max(crashes, 0), MAX_CRASHES) if len(partitions) == 1 else 0
                return Lease(_chosen(partitions, taken), token, _chosen(partitions, isolated), crashes)
        raise InvalidResponse(f"not the reply to a lease: {logs.cut(repr(reply))}")

    def _give_back(self, lease: Lease) -> None:
        self._enqueue(_chosen(lease.partitions, self._release(self._keys(lease.partitions), [lease.token])))

    def _enqueue(self, partitions: Sequence[int]) -> None:
        name = self.queue(self._inbox)
        for start in range(0, len(partitions), MAX_TOGETHER):
            together = partitions[start : start + MAX_TOGETHER]
            message: Message[None] = Message(queue_name=name, actor_name=name, args=(together,), kwargs={}, options={})
            self._broker.enqueue(message)

    def _keys(self, partitions: Sequence[int]) -> list[str]:
        return [self._key(kind, partition) for partition in partitions for kind in ("lease", "rung", "crashes")]

    def _key(self, kind: str, partition: int) -> str:
        return f"leadscore:{self._inbox}:{kind}:{partition}"


def is_partition(value: object) -> bool:
    """Returns whether a value can be the number of a partition."""
    return type(value) is int and 0 <= value < MAX_PARTITIONS


def _chosen(partitions: Sequence[int], reply: object) -> list[int]:
    """Returns the partitions at the indexes (from 1) that a script returned.

    Raises:
        InvalidResponse: These are not indexes of the partitions.
    """
    if not isinstance(reply, list) or not all(isinstance(index, int) for index in reply):
        raise InvalidResponse(f"not a list of indexes: {logs.cut(repr(reply))}")
    if not all(1 <= index <= len(partitions) for index in reply):
        raise InvalidResponse(f"not indexes of {len(partitions)} partitions: {logs.cut(repr(reply))}")
    return [partitions[index - 1] for index in reply]
