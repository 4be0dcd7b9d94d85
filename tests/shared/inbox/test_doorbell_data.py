"""Foreign keys and malformed replies in Redis harm neither rings nor drains."""

import pytest
from structlog.testing import capture_logs

from shared.inbox.doorbell import MAX_CRASHES
from shared.tasks import running
from tests.shared.inbox.doorbell_pair import DoorbellPair
from tests.shared.waiting import until

pytestmark = pytest.mark.usefixtures("long_leases")


@pytest.mark.parametrize("kind", ["lease", "rung", "crashes"])
@pytest.mark.parametrize("write", ["set {} nonsense", "set {} 9007199254740993", "rpush {} 1"])
async def test_foreign_keys_block_neither_rings_nor_drains(pair: DoorbellPair, kind: str, write: str) -> None:
    pair.broker.client.execute_command(*write.format(pair.doorbell._key(kind, 3)).split())  # type: ignore[no-untyped-call]
    async with running(pair.doorbell.run()):
        pair.doorbell.ring([3])
        await pair.has_queued([3])
        async with pair.doorbell.lease([3]) as lease:
            assert (list(lease.partitions), lease.crashes) == ([3], 0)


async def test_the_reported_number_of_crashes_stays_within_its_limits(pair: DoorbellPair) -> None:
    for stored, reported in ((10**15, MAX_CRASHES), (-7, 0)):
        pair.broker.client.set(pair.doorbell._key("crashes", 3), stored, px=60_000)
        async with pair.doorbell.lease([3]) as lease:
            assert lease.crashes == reported


@pytest.mark.parametrize("reply", [None, 7, b"no", [0], [2], [-1], ["1"], [[1], [], None], [[1], [2], 0], [1, 2, 3]])
async def test_a_malformed_reply_counts_as_no_reply(
    pair: DoorbellPair, reply: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for script in ("_ring", "_take", "_release"):
        monkeypatch.setattr(pair.doorbell, script, lambda *_: reply)
    with capture_logs() as lines:
        async with running(pair.doorbell.run()):
            pair.doorbell.ring([3])
            await until(lambda: lines, what="a log line about the unavailable Redis")
            async with pair.doorbell.lease([3]) as lease:
                assert list(lease.partitions) == [3]
    assert [line["event"] for line in lines] == ["redis is unavailable; the sweeper will ring"]
