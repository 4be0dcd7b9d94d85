"""What a doorbell sends to Redis, as docs/architecture.md lists it ("What a drain costs")."""

from typing import Any

from shared.tasks import running
from tests.shared.inbox.doorbell_pair import DoorbellPair

SENT = ("evalsha", "eval", "rpush", "ltrim")
"""The commands that clients send here; scripts run others."""


def calls(pair: DoorbellPair) -> dict[str, int]:
    """Returns how often Redis has executed each of `SENT`."""
    found: Any = pair.broker.client.info("commandstats")
    return {name: found.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in SENT}


def since(pair: DoorbellPair, before: dict[str, int]) -> dict[str, int]:
    """Returns the commands that Redis has executed since."""
    return {name: count - before[name] for name, count in calls(pair).items() if count > before[name]}


async def test_a_lease_of_any_partitions_is_taken_and_returned_with_one_script_each(pair: DoorbellPair) -> None:
    async with pair.doorbell.lease([1]):
        pass  # the scripts are in Redis now
    for partitions in ([3], list(range(16))):
        before = calls(pair)
        async with pair.doorbell.lease(partitions) as lease:
            assert lease.partitions == partitions
        assert since(pair, before) == {"evalsha": 2}


async def test_a_ring_for_any_partitions_is_a_script_and_a_message(pair: DoorbellPair) -> None:
    async with running(pair.doorbell.run()):
        pair.doorbell.ring([1])
        await pair.has_queued([1])
        before, together = calls(pair), list(range(2, 12))
        pair.doorbell.ring(together)
        await pair.has_queued([1], together)
    assert since(pair, before) == {"evalsha": 1, "rpush": 1, "ltrim": 1}
