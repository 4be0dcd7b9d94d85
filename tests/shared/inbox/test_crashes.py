"""A row that kills its workers is parked; rows that a worker merely held when it was killed are not."""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence

import pytest

from shared.inbox.collection import Inbox
from shared.inbox.doorbell import Doorbell
from shared.inbox.failures import DIED
from shared.inbox.parking import MAX_ATTEMPTS, Parking
from tests.shared.inbox.reader import put_letters, row, states


class Workers:
    """Starts workers that may crash, one after another."""

    def __init__(self, database_uri: str, redis_url: str) -> None:
        self._environment = os.environ | {"MONGO": database_uri, "REDIS": redis_url}
        self._inbox = f"letters_{uuid.uuid4().hex}"

    @contextlib.contextmanager
    def started(self, bad: str = "-", seconds: float = 0) -> "Iterator[subprocess.Popen[str]]":
        """Runs a worker, and yields its process once it has begun."""
        command = [sys.executable, "-m", "tests.shared.inbox.dying_worker", self._inbox, bad, str(seconds)]
        with subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "begins\n"
                yield process
            finally:
                process.kill()

    def crashes_on(self, bad: str) -> bool:
        """Runs a worker until it ends, and returns whether the letter crashed it."""
        with self.started(bad) as process:
            return process.wait(60) == 9


@pytest.fixture
def workers(database_uri: str, redis_url: str) -> Workers:
    return Workers(database_uri, redis_url)


async def test_a_row_that_crashes_its_workers_is_parked_and_all_others_are_done(inbox: Inbox, workers: Workers) -> None:
    bad = (await put_letters(inbox, 150))[70]
    crashes = 0
    while await asyncio.to_thread(workers.crashes_on, bad):
        crashes += 1
        assert crashes <= 2 + MAX_ATTEMPTS, "expected two crashes to find the row in its batch, and one per attempt"
    parked = await row(inbox, bad)
    assert (parked["state"], parked["attempts"], parked["reason"]) == ("parked", MAX_ATTEMPTS, DIED.reason)
    assert parked["reason_code"] == "WORKER_DIED"
    assert await states(inbox) == {"read": 149, "parked": 1}
    assert await Parking(inbox).retry([bad]) == 1
    assert not await asyncio.to_thread(workers.crashes_on, "-")
    assert await states(inbox) == {"read": 150}


async def test_random_kills_of_workers_park_no_row(inbox: Inbox, workers: Workers) -> None:
    await put_letters(inbox, 60)
    chance = random.Random(7)
    # A kill after some commits does not hit the row that the last one hit: it was tried first. However slow the machine
    # is, the others hit no row as often as would park it.
    commits = [0] * (MAX_ATTEMPTS - 1) + [3] * 6
    chance.shuffle(commits)
    for count in commits:
        with workers.started(seconds=0.02) as process:
            assert process.stdout is not None
            for _ in range(count):
                await asyncio.to_thread(process.stdout.readline)
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, chance.uniform(0, 0.03 if count else 0.7))
            process.kill()
    assert not await asyncio.to_thread(workers.crashes_on, "-")
    assert await states(inbox) == {"read": 60}


@pytest.mark.usefixtures("long_leases")
async def test_a_partition_in_which_workers_crashed_is_leased_alone(doorbell: Doorbell) -> None:
    given_back, doorbell._give_back = doorbell._give_back, lambda _: None  # type: ignore[method-assign,assignment]
    for crashes in range(3):
        async with doorbell.lease([3]) as lease:
            assert (lease.partitions, lease.crashes) == ([3], crashes)
        assert (await _leased(doorbell, 2, 3))[1:] == ([2], []), (
            "expected nobody to take the lease of the crashed worker"
        )
        doorbell._broker.client.delete(*(f"leadscore:{doorbell._inbox}:lease:{partition}" for partition in (2, 3)))
        doorbell._broker.client.delete(f"leadscore:{doorbell._inbox}:crashes:2")
    doorbell._give_back = given_back  # type: ignore[method-assign]
    assert await _leased(doorbell, 2, 3, 4) == (0, [2, 4], [3])
    assert await _leased(doorbell, 3) == (3, [3], [])
    assert await _leased(doorbell, 3, 4) == (0, [3, 4], []), "expected one clean end to reset the count"


async def _leased(doorbell: Doorbell, *partitions: int) -> tuple[int, Sequence[int], Sequence[int]]:
    async with doorbell.lease(partitions) as lease:
        return lease.crashes, lease.partitions, lease.isolated
