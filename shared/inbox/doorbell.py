"""The doorbell: how a consumer learns at once that a partition of an inbox has work; it runs over Redis and dramatiq.

Guarantee: ringing never blocks and never fails, whatever Redis does or holds. That is all: a ring may be lost and may
come twice, and a lease may be held by two. The inbox's sweeper makes up for the first, MongoDB's conflicts for the
others.

Keys in Redis (other than those of dramatiq):
    leadscore:<inbox>:rung:<partition>     a ring is on its way; further ones are left out. Cleared when the drain
                                           begins, and by expiry.
    leadscore:<inbox>:lease:<partition>    the token of the drain that has the partition. Cleared when the drain ends,
                                           and by expiry.
    leadscore:<inbox>:crashes:<partition>  how many drains have begun since one ended, be it with an error: more than
                                           the one that has the lease means that a worker died. Cleared when a drain
                                           ends, and by expiry.

A key of these that never expires is not ours, and is deleted.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from redis.exceptions import InvalidResponse, RedisError

from shared import logs
from shared.settings import MAX_PARTITIONS

RING_MILLISECONDS = 5_000
"""A ring that led to no drain in this time is forgotten, so that the sweeper's next one gets through."""
GATHER_SECONDS = 0.02
"""Under load, rings of this span go out together; the first one after a pause goes out at once."""
MAX_TOGETHER = 16
"""Partitions that one message rings for; more would keep them from other workers."""
LEASE_MILLISECONDS = 5_000
"""A worker that died holds its partitions up for this long; a living one renews before each batch."""
CRASH_COUNT_MILLISECONDS = 600_000
"""For so long it is remembered that a worker died while it drained a partition."""
MAX_CRASHES = 10
"""That a lease tells of: after so many, whatever Redis says, a drain is as small as it can be."""

_RING = """
-- KEYS: rung, one per partition. ARGV: milliseconds. Returns the indexes (from 1) of those that nobody has rung for.
local first = {}
for index, key in ipairs(KEYS) do
    if redis.call('pttl', key) == -1 then redis.call('del', key) end
    if redis.call('set', key, 1, 'NX', 'PX', ARGV[1]) then first[#first + 1] = index end
end
return first
"""
_TAKE = """
-- KEYS: lease, rung, crashes, lease, rung, crashes, … ARGV: token, milliseconds, milliseconds of crashes. Returns the
-- indexes (from 1) of the partitions taken, those of free ones that are not taken together with others because a worker
-- died in them, and the number of those crashes when only one was asked for.
-- A ring is cleared before the drain's first read, so that whoever commits a row from now on rings anew.
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
-- KEYS: lease, one per partition. ARGV: token, milliseconds. Keeps those leases that are still ours.
for _, key in ipairs(KEYS) do
    if redis.call('get', key) == ARGV[1] then redis.call('pexpire', key, ARGV[2]) end
end
"""
_RELEASE = """
-- KEYS: lease, rung, crashes, lease, rung, crashes, … ARGV: token. Gives back the leases that are still ours and
-- returns the indexes (from 1) of the partitions for which someone rang meanwhile: whoever answered found the lease
-- taken and left.
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
    """The right to drain some partitions, as far as Redis knows.

    Workers died while they drained those `isolated`, so they are leased alone; `crashes` is how many did, one after
    the other, in the only partition of this lease.
    """

    partitions: Sequence[int]
    token: str
    isolated: Sequence[int] = ()
    crashes: int = 0


class Doorbell:
    """Rings for the partitions of one inbox; `run()` must be running for rings to leave the process."""

    def __init__(self, broker: RedisBroker, inbox: str) -> None:
        self._broker = broker
        self._inbox = inbox
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
        """Lets the consumer know, soon, that there is work in these partitions."""
        self._waiting.update(filter(is_partition, partitions))
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
                    _LOG.warning("redis is unavailable; the sweeper will ring", inbox=self._inbox, error=str(error))
                away = True
            await asyncio.sleep(GATHER_SECONDS)

    @contextlib.asynccontextmanager
    async def lease(self, partitions: Sequence[int]) -> AsyncIterator[Lease]:
        """Holds the leases of those of the partitions that no other drain has. Without Redis everyone gets all."""
        lease = Lease(partitions, secrets.token_hex(8))
        with contextlib.suppress(RedisError):
            lease = await asyncio.to_thread(self._take_free, partitions, lease.token)
        try:
            yield lease
        finally:
            with contextlib.suppress(RedisError):
                await asyncio.to_thread(self._give_back, lease)

    async def renew(self, lease: Lease) -> None:
        """Keeps a lease for another `LEASE_MILLISECONDS`."""
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
    """Tells whether a value can be the number of a partition."""
    return type(value) is int and 0 <= value < MAX_PARTITIONS


def _chosen(partitions: Sequence[int], reply: object) -> list[int]:
    """Returns the partitions at the indexes, from 1, that a script has answered with.

    Raises:
        InvalidResponse: These are no indexes of these partitions.
    """
    if not isinstance(reply, list) or not all(isinstance(index, int) for index in reply):
        raise InvalidResponse(f"no list of indexes: {logs.cut(repr(reply))}")
    if not all(1 <= index <= len(partitions) for index in reply):
        raise InvalidResponse(f"not indexes of {len(partitions)} partitions: {logs.cut(repr(reply))}")
    return [partitions[index - 1] for index in reply]
