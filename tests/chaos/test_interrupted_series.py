"""A series that is told to end leaves no process behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli.local.leftovers import is_alive
from testkit.waiting import eventually


@pytest.fixture
def series(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A series of one round, which begins with starting everything."""
    environment = os.environ | {"ROUNDS": "1", "FAULTS": "kill all", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "chaos"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        yield running
        running.kill()


async def test_sigterm_ends_every_process(series: "subprocess.Popen[str]") -> None:
    started: list[psutil.Process] = []

    async def services_are_started() -> bool:
        assert series.poll() is None, "expected the series to run"
        started[:] = psutil.Process(series.pid).children(recursive=True)
        return any("forkserver" in word for each in started for word in _words(each))

    await eventually(services_are_started, what="the databases run, and the first service is started")
    series.send_signal(signal.SIGTERM)
    said, _ = series.communicate(timeout=180)
    assert series.returncode == 1
    assert "interrupted; the results so far:" in said
    # Those that notice its end, such as the watcher of shared memory, take a moment.
    await eventually(lambda: _ended(started), what="every process that the series started has ended")


async def _ended(processes: list[psutil.Process]) -> bool:
    return not any(map(is_alive, processes))


def _words(process: psutil.Process) -> list[str]:
    try:
        words: list[str] = process.cmdline()
    except psutil.NoSuchProcess:
        return []
    return words
