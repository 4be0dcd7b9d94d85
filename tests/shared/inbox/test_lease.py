"""A lease keeps other drains off its partitions until it is released or expires."""

import pytest

from shared.inbox import doorbell as doorbell_module
from shared.tasks import running
from testkit.waiting import eventually
from tests.shared.inbox.doorbell_pair import DoorbellPair

pytestmark = pytest.mark.usefixtures("long_leases")


async def test_a_new_lease_clears_the_ring(pair: DoorbellPair) -> None:
    async with running(pair.doorbell.run()):
        pair.doorbell.ring([3])
        await pair.has_queued([3])
        async with pair.doorbell.lease([3]):
            pair.doorbell.ring([3])
            await pair.has_queued([3], [3])


async def test_a_ring_during_a_lease_is_repeated_on_release(pair: DoorbellPair) -> None:
    async with running(pair.other.run()):
        async with pair.doorbell.lease([3, 4]):
            pair.other.ring([3])
            await pair.has_queued([3])
            async with pair.other.lease([3]) as answered:
                assert answered.partitions == []
            assert pair.take_messages() == [[3]], "whoever answers the ring finds the lease taken"
        assert pair.queued() == [[3]], "expected another ring for 3 and none for 4"


async def test_a_lease_without_a_ring_ends_without_a_ring(pair: DoorbellPair) -> None:
    async with pair.doorbell.lease([3, 4]):
        pass
    assert pair.queued() == []


async def test_a_lease_excludes_others_from_its_partitions_only(pair: DoorbellPair) -> None:
    async with pair.doorbell.lease([1, 2]) as first, pair.other.lease([2, 3]) as second:
        assert (first.partitions, second.partitions) == ([1, 2], [3])
    async with pair.other.lease([1, 2, 3]) as after:
        assert after.partitions == [1, 2, 3]


async def test_a_lease_is_released_after_an_error(pair: DoorbellPair) -> None:
    async def fail() -> None:
        async with pair.doorbell.lease([1]):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with pair.other.lease([1]) as after:
        assert after.partitions == [1]


async def test_the_holder_of_an_expired_lease_does_not_end_the_next_one(
    pair: DoorbellPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pair.other.lease([2]):
        monkeypatch.setattr(doorbell_module, "LEASE_MILLISECONDS", 50)
        async with pair.doorbell.lease([1]) as old:
            await eventually(lambda: _has_expired(pair, 1), what="the lease expires")
            monkeypatch.setattr(doorbell_module, "LEASE_MILLISECONDS", 60_000)
            next_one = pair.other.lease([1])
            assert (await next_one.__aenter__()).partitions == [1]
            await pair.doorbell.renew(old)
        assert not await _has_expired(pair, 1), "expected the next holder to keep the lease"
        await next_one.__aexit__(None, None, None)
    assert await _has_expired(pair, 1)


async def test_a_renewed_lease_expires_later(pair: DoorbellPair, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair.doorbell.lease([1, 2]) as lease:
        monkeypatch.setattr(doorbell_module, "LEASE_MILLISECONDS", 600_000)
        await pair.doorbell.renew(lease)
        left = [pair.broker.client.pttl(_key(pair, "lease", partition)) for partition in (1, 2)]
    assert min(left) > 500_000


def _key(pair: DoorbellPair, kind: str, partition: int) -> str:
    return f"leadscore:{pair.inbox}:{kind}:{partition}"


async def _has_expired(pair: DoorbellPair, partition: int) -> bool:
    return not pair.broker.client.exists(_key(pair, "lease", partition))
