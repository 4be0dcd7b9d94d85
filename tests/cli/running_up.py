"""A running `leadscore up` for tests, and what becomes of its processes."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.local.demo import free_base_port
from cli.local.down import STOP_SECONDS
from cli.local.embedded import free_port
from testkit.waiting import eventually
from tests.cli.test_embedded import is_alive

COMMAND = [sys.executable, "-m", "cli"]


class Up:
    """A running `leadscore up`."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        self.base_port = free_base_port()
        self.http_port = free_port()
        self.environment = os.environ | {"LEADSCORE_BASE_PORT": str(self.base_port)}
        self.process = subprocess.Popen(
            [*COMMAND, "up", "--data-dir", str(data_dir), "--http", str(self.http_port), *options],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if self.lines[-1] == "ready":
                return
        pytest.fail(f"leadscore up ended with {self.process.wait()}")

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Runs another command against the system."""
        return subprocess.run(
            [*COMMAND, *arguments], env=self.environment | environment, capture_output=True, text=True, check=False
        )

    def stop(self, number: signal.Signals) -> int:
        """Stops the system, and returns the exit status."""
        self.process.send_signal(number)
        with self.process:
            return self.process.wait(STOP_SECONDS)


def descendants(pid: int) -> list[int]:
    children = read_process(pid, f"task/{pid}/children").split()
    return [each for child in children for each in (int(child), *descendants(int(child)))]


def read_process(pid: int, name: str) -> str:
    """Returns what /proc says about a process; empty if the process has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_until_ended(pids: list[int]) -> None:
    """Waits until all processes have ended; those that watch the others end last."""

    async def have_ended() -> bool:
        return not [pid for pid in pids if is_alive(pid)]

    asyncio.run(eventually(have_ended, what="the end of every process"))
