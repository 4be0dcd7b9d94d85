"""A tied program ends with the process that has started it, however that ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local import tied
from testkit.waiting import eventually

PARENT = f"""
import subprocess, sys, time
sys.path[:0] = {sys.path!r}
from cli.local import tied
started = subprocess.Popen(tied.command_for("sleep", "600"), stdin=subprocess.PIPE)
print(started.pid, flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()  # neither ended, nor waiting to be forgotten


@pytest.fixture
def parent() -> Iterator["subprocess.Popen[str]"]:
    """A process that has printed the id of the tied one that it has started."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


async def test_it_ends_when_its_parent_is_killed(parent: "subprocess.Popen[str]") -> None:
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_running(child)
    parent.kill()

    async def has_ended() -> bool:
        return not is_running(child)

    await eventually(has_ended, what="the end of the tied process")


def test_it_is_the_command_itself(tmp_path: Path) -> None:
    with subprocess.Popen(tied.command_for("sleep", "600"), stdin=subprocess.PIPE) as started:
        while "sleep" not in Path(f"/proc/{started.pid}/comm").read_text():
            os.sched_yield()
        started.send_signal(signal.SIGTERM)
        assert started.wait(60) == -signal.SIGTERM
    with subprocess.Popen(tied.command_for("false"), stdin=subprocess.PIPE) as failing:
        assert failing.wait(60) == 1
