"""How `make bench` samples the memory of the system."""

from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from benchmarks.harness import memory
from benchmarks.harness.memory import MemoryLog
from testkit.waiting import eventually


class Growing:
    """A process whose memory grows from sample to sample, until its last one."""

    def __init__(self, *megabytes: int) -> None:
        self.left = list(megabytes)

    def memory_info(self) -> Any:
        """Returns the next size; the process is gone after the last one."""
        if not self.left:
            raise psutil.NoSuchProcess(1)
        return SimpleNamespace(rss=self.left.pop(0) * 1_000_000)


async def test_the_largest_process_of_each_kind_counts_also_after_it_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, other, server = Growing(80, 90, 100, 110), Growing(70, 120), Growing(50)
    monkeypatch.setattr(memory, "SAMPLE_SECONDS", 0.001)
    monkeypatch.setattr(memory, "processes", lambda: {"worker": [worker, other], "server": [server]})
    log = MemoryLog()

    async def all_sampled() -> bool:
        return not worker.left

    with log.sampling():
        await eventually(all_sampled, what="every size was sampled")
    assert log.largest() == {"worker": 120, "server": 50}


async def test_the_first_half_shows_whether_memory_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Growing(*range(1, 41))
    monkeypatch.setattr(memory, "SAMPLE_SECONDS", 0.001)
    monkeypatch.setattr(memory, "processes", lambda: {"worker": [worker]})
    log = MemoryLog()

    async def some_sampled() -> bool:
        return len(worker.left) < 20

    with log.sampling():
        await eventually(some_sampled, what="half of the sizes were sampled")
    early, all_ = log.largest_in_first_half()["worker"], log.largest()["worker"]
    assert 0 < early < all_
