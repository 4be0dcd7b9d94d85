"""The doorbell on a real Redis: it coalesces while Redis is well, and is in nobody's way when Redis is not."""

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from structlog.testing import capture_logs

from cli.local.embedded import EmbeddedRedis
from shared.inbox import broker as brokers
from shared.inbox import doorbell
from shared.inbox.doorbell import MAX_CRASHES, MAX_TOGETHER, Doorbell
from shared.tasks import running
from testkit.waiting import eventually

SLACK = 20.0
SOON = 0.25
"""What a Redis that hangs is given, in seconds."""
LOOKS = 10
"""How often a loop that nobody blocks turns, at least, while a ring waits for a Redis that hangs."""
NOBODY = "redis://127.0.0.1:1/0"


class House:
    """A doorbell, another one of another process, and what lies in the queue behind them."""

    def __init__(self, redis_url: str) -> None:
        self.inbox = f"letters_{uuid.uuid4().hex}"
        self.broker: RedisBroker = brokers.connect(redis_url)
        self.bell = Doorbell(self.broker, self.inbox)
        self._second: RedisBroker = brokers.connect(redis_url)
        self.other = Doorbell(self._second, self.inbox)

    def messages(self) -> list[Message[None]]:
        """Returns the messages in the queue."""
        found: Any = self.broker.client.hvals(f"{self.broker.namespace}:{Doorbell.queue(self.inbox)}.msgs")
        return [Message.decode(data) for data in found]

    def rung(self) -> list[list[int]]:
        """Returns the partitions of each message in the queue."""
        return sorted(message.args[0] for message in self.messages())

    def take_messages(self) -> list[list[int]]:
        """Returns them and empties the queue, as a worker does."""
        rung = self.rung()
        self.broker.flush(Doorbell.queue(self.inbox))
        return rung

    def close(self) -> None:
        """Closes the connections."""
        self.broker.client.close()
        self._second.client.close()

    async def rings(self, *partitions: list[int]) -> None:
        """Waits until the queue holds these messages."""
        expected = sorted(partitions)
        await eventually(lambda: _true(self.rung() == expected), what=f"messages for {expected}")


@pytest.fixture
def build() -> Iterator[Callable[[str], House]]:
    """Builds houses, and closes them after the test."""
    with contextlib.ExitStack() as stack:

        def built(redis_url: str) -> House:
            house = House(redis_url)
            stack.callback(house.close)
            return house

        yield built


@pytest.fixture
def house(build: Callable[[str], House], redis_url: str) -> House:
    return build(redis_url)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis of this test's own, to be broken."""
    with EmbeddedRedis(tmp_path) as server:
        yield server


@pytest.fixture
def black_hole(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of something that takes connections and never says a word."""
    monkeypatch.setattr(brokers, "REDIS_SECONDS", SOON)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.fixture(autouse=True)
def _long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing expires while a machine stands still."""
    monkeypatch.setattr(doorbell, "LEASE_MILLISECONDS", 60_000)
    monkeypatch.setattr(doorbell, "RING_MILLISECONDS", 60_000)


async def test_a_ring_is_a_message_for_the_actor_of_the_inbox(house: House) -> None:
    async with running(house.bell.run()):
        house.bell.ring([3])
        await house.rings([3])
    (message,) = house.messages()
    assert message.actor_name == message.queue_name == f"drain_{house.inbox}"


async def test_rings_for_one_partition_become_one_message_while_one_is_on_its_way(house: House) -> None:
    async with running(house.bell.run(), house.other.run()):
        house.bell.ring([3])
        await house.rings([3])
        house.bell.ring([3, 3])
        house.bell.ring(iter([3, 4]))
        await house.rings([3], [4])
        house.other.ring([3, 5])
        await house.rings([3], [4], [5])


async def test_what_is_rung_for_together_goes_out_together(house: House) -> None:
    house.bell.ring([9, 2])
    house.bell.ring([5, 2])
    async with running(house.bell.run()):
        await house.rings([2, 5, 9])


async def test_one_message_rings_for_a_limited_number_of_partitions(house: House) -> None:
    partitions = list(range(MAX_TOGETHER + 2))
    house.bell.ring(partitions)
    async with running(house.bell.run()):
        await house.rings(partitions[:MAX_TOGETHER], partitions[MAX_TOGETHER:])


async def test_inboxes_have_bells_of_their_own(house: House, build: Callable[[str], House], redis_url: str) -> None:
    neighbour = build(redis_url)
    async with running(house.bell.run(), neighbour.bell.run()), neighbour.bell.lease([3]) as lease:
        house.bell.ring([3])
        await house.rings([3])
        assert neighbour.rung() == []
        async with house.bell.lease([3]) as own:
            assert own.partitions == lease.partitions == [3]


async def test_a_drain_that_begins_clears_the_ring(house: House) -> None:
    async with running(house.bell.run()):
        house.bell.ring([3])
        await house.rings([3])
        async with house.bell.lease([3]):
            house.bell.ring([3])
            await house.rings([3], [3])


async def test_a_ring_during_a_lease_is_rung_again_on_release(house: House) -> None:
    async with running(house.other.run()):
        async with house.bell.lease([3, 4]):
            house.other.ring([3])
            await house.rings([3])
            async with house.other.lease([3]) as answered:
                assert answered.partitions == []
            assert house.take_messages() == [[3]], "whoever answers finds the lease taken and leaves"
        assert house.rung() == [[3]], "expected to be rung for again, and 4 not to be"


async def test_a_lease_that_nobody_rang_during_ends_in_silence(house: House) -> None:
    async with house.bell.lease([3, 4]):
        pass
    assert house.rung() == []


async def test_a_lease_keeps_others_off_and_only_off_its_partitions(house: House) -> None:
    async with house.bell.lease([1, 2]) as first, house.other.lease([2, 3]) as second:
        assert (first.partitions, second.partitions) == ([1, 2], [3])
    async with house.other.lease([1, 2, 3]) as after:
        assert after.partitions == [1, 2, 3]


async def test_a_lease_is_given_back_after_an_error(house: House) -> None:
    async def fail() -> None:
        async with house.bell.lease([1]):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with house.other.lease([1]) as after:
        assert after.partitions == [1]


async def test_a_lease_expires_and_its_holder_does_not_end_the_next_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.other.lease([2]):
        monkeypatch.setattr(doorbell, "LEASE_MILLISECONDS", 50)
        async with house.bell.lease([1]) as old:
            await eventually(lambda: _has_expired(house, 1), what="the lease expires")
            monkeypatch.setattr(doorbell, "LEASE_MILLISECONDS", 60_000)
            next_one = house.other.lease([1])
            assert (await next_one.__aenter__()).partitions == [1]
            await house.bell.renew(old)
        assert not await _has_expired(house, 1), "the next holder still has it"
        await next_one.__aexit__(None, None, None)
    assert await _has_expired(house, 1)


async def test_a_renewed_lease_lives_longer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house.bell.lease([1, 2]) as lease:
        monkeypatch.setattr(doorbell, "LEASE_MILLISECONDS", 600_000)
        await house.bell.renew(lease)
        left = [house.broker.client.pttl(_key(house, "lease", partition)) for partition in (1, 2)]
    assert min(left) > 500_000


async def test_a_ring_that_leads_to_no_drain_is_forgotten(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "RING_MILLISECONDS", 50)
    async with running(house.bell.run()):
        house.bell.ring([3])
        await house.rings([3])

        async def rings_again() -> bool:
            house.bell.ring([3])
            return len(house.rung()) > 1

        await eventually(rings_again, what="the next ring gets through")


async def test_every_key_expires(house: House) -> None:
    async with running(house.bell.run()), house.bell.lease([1]):
        house.bell.ring([1, 2])
        await house.rings([1, 2])
        keys = house.broker.client.keys(f"leadscore:{house.inbox}:*")
        assert len(keys) == 4
        longest = {key: doorbell.CRASH_COUNT_MILLISECONDS if b":crashes:" in key else 60_000 for key in keys}
        assert all(0 < house.broker.client.pttl(key) <= longest[key] for key in keys)


async def test_nothing_is_sent_when_nothing_is_rung_for(house: House) -> None:
    house.bell.ring([])
    assert not house.bell._wake.is_set()


async def test_without_redis_a_ring_is_silent_and_a_lease_has_everything(build: Callable[[str], House]) -> None:
    house = build(NOBODY)
    with capture_logs() as lines:
        async with running(house.bell.run()):
            for _ in range(2):
                house.bell.ring([3])
                await eventually(lambda: _true(not house.bell._waiting), what="the ring was tried")
            async with house.bell.lease([1, 2]) as lease, house.other.lease([1, 2]) as other:
                assert list(lease.partitions) == list(other.partitions) == [1, 2]
                await house.bell.renew(lease)
    assert [line["event"] for line in lines] == ["redis is unavailable; the sweeper will ring"], "one line is expected"


async def test_a_redis_that_comes_back_is_rung_at(redis: EmbeddedRedis, build: Callable[[str], House]) -> None:
    house = build(redis.url)
    with capture_logs() as lines:
        async with running(house.bell.run()):
            house.bell.ring([1])
            await house.rings([1])
            redis.kill()
            house.bell.ring([2])
            await eventually(lambda: _true(lines), what="a line says that Redis is away")
            async with house.bell.lease([1, 2]) as lease:
                assert list(lease.partitions) == [1, 2]
                redis.start()
            house.bell.ring([3])
            await house.rings([3])


async def test_a_hanging_redis_holds_up_neither_ring_nor_loop(black_hole: str, build: Callable[[str], House]) -> None:
    house = build(black_hole)
    turns = 0

    async def watch_the_loop() -> None:
        nonlocal turns
        while not lines:
            turns += 1
            await asyncio.sleep(0)
        await asyncio.Event().wait()

    with capture_logs() as lines:
        async with running(house.bell.run(), watch_the_loop()):
            started = time.monotonic()
            house.bell.ring([1])
            await eventually(lambda: _true(lines), what="the ring is given up")
            given_up = time.monotonic() - started
    assert given_up < SOON + SLACK
    assert turns > LOOKS, "the loop is expected to go on meanwhile"


async def test_a_hanging_redis_holds_a_drain_up_for_a_moment_only(
    black_hole: str, build: Callable[[str], House]
) -> None:
    house = build(black_hole)
    started = time.monotonic()
    async with house.bell.lease([1, 2]) as lease:
        assert list(lease.partitions) == [1, 2]
        await house.bell.renew(lease)
    assert time.monotonic() - started < 3 * SOON + SLACK


async def test_a_redis_that_hangs_between_two_commands_is_away_too(
    redis: EmbeddedRedis, build: Callable[[str], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "REDIS_SECONDS", SOON)
    house = build(redis.url)
    async with house.bell.lease([1]) as lease:
        house.other._broker.client.execute_command("CLIENT", "PAUSE", "60000")
        started = time.monotonic()
        await house.bell.renew(lease)
    assert time.monotonic() - started < 2 * SOON + SLACK


async def test_a_full_redis_is_away_too(redis: EmbeddedRedis, build: Callable[[str], House]) -> None:
    house = build(redis.url)
    house.broker.client.config_set("maxmemory", "1")
    with capture_logs() as lines:
        async with running(house.bell.run()):
            house.bell.ring([1])
            await eventually(lambda: _true(lines), what="a line says that Redis is away")
            async with house.bell.lease([1]) as lease:
                assert list(lease.partitions) == [1]
            house.broker.client.config_set("maxmemory", "0")
            house.bell.ring([2])
            await house.rings([2])
    assert "OOM" in lines[0]["error"]


async def test_a_redis_that_forgot_everything_is_rung_at_anew(
    redis: EmbeddedRedis, build: Callable[[str], House]
) -> None:
    house = build(redis.url)
    async with running(house.bell.run()):
        house.bell.ring([3])
        await house.rings([3])
        house.broker.client.flushall()
        house.broker.client.script_flush()
        house.bell.ring([3])
        await house.rings([3])


async def test_a_lease_that_redis_forgot_may_be_held_by_two(
    redis: EmbeddedRedis, build: Callable[[str], House]
) -> None:
    house = build(redis.url)
    async with house.bell.lease([1]) as first:
        house.broker.client.flushall()
        await house.bell.renew(first)
        async with house.other.lease([1]) as second:
            assert second.partitions == [1]
    assert house.rung() == []


def _key(house: House, kind: str, partition: int) -> str:
    return f"leadscore:{house.inbox}:{kind}:{partition}"


async def _has_expired(house: House, partition: int) -> bool:
    return not house.broker.client.exists(_key(house, "lease", partition))


async def _true(condition: object) -> bool:
    return bool(condition)


@pytest.mark.parametrize("kind", ["lease", "rung", "crashes"])
@pytest.mark.parametrize("write", ["set {} nonsense", "set {} 9007199254740993", "rpush {} 1"])
async def test_keys_that_somebody_else_has_left_hold_up_neither_rings_nor_drains(
    house: House, kind: str, write: str
) -> None:
    house.broker.client.execute_command(*write.format(house.bell._key(kind, 3)).split())
    async with running(house.bell.run()):
        house.bell.ring([3])
        await house.rings([3])
        async with house.bell.lease([3]) as lease:
            assert (list(lease.partitions), lease.crashes) == ([3], 0)


async def test_so_many_deaths_are_told_that_a_drain_is_as_small_as_it_can_be_and_no_more(house: House) -> None:
    for found, told in ((10**15, MAX_CRASHES), (-7, 0)):
        house.broker.client.set(house.bell._key("crashes", 3), found, px=60_000)
        async with house.bell.lease([3]) as lease:
            assert lease.crashes == told


@pytest.mark.parametrize("reply", [None, 7, b"no", [0], [2], [-1], ["1"], [[1], [], None], [[1], [2], 0], [1, 2, 3]])
async def test_a_reply_that_is_none_counts_as_no_reply(
    house: House, reply: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for script in ("_ring", "_take", "_release"):
        monkeypatch.setattr(house.bell, script, lambda *_: reply)
    with capture_logs() as lines:
        async with running(house.bell.run()):
            house.bell.ring([3])
            await eventually(lambda: _true(lines), what="a line says that Redis does not answer")
            async with house.bell.lease([3]) as lease:
                assert list(lease.partitions) == [3]
    assert [line["event"] for line in lines] == ["redis is unavailable; the sweeper will ring"]


async def test_only_partitions_are_rung_for(house: House) -> None:
    odd: list[Any] = [True, "4", None, -1, 4096, 2.0, [5]]
    async with running(house.bell.run()):
        house.bell.ring([*odd, 3])
        await house.rings([3])
