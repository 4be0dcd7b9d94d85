"""The processes of a test's system behave as if they were started with `python -m`."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from testkit.processes import Process

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a module with arguments, and with `tmp_path / "log"` as its log."""

    def started(module: str, *arguments: str, **environment: str) -> Process:
        return Process(module, arguments, os.environ | environment, tmp_path / "log")

    return started


def test_a_process_has_its_arguments_environment_log_and_status(start: Start, tmp_path: Path) -> None:
    assert start("ingest_service", "serve", LEADSCORE_PORT="70000").wait(60) == 1
    assert (tmp_path / "log").read_text().startswith("ingest_service: LEADSCORE_PORT: ")
    assert start("ingest_service", "--help").wait(60) == 0
    assert "usage: python -m ingest_service" in (tmp_path / "log").read_text()


def test_a_process_can_be_signalled_as_soon_as_it_has_started(start: Start) -> None:
    process = start("http.server", "0", "--bind", "127.0.0.1")
    assert os.getpgid(process.pid) == os.getsid(process.pid) == process.pid
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(60) == process.poll() == -signal.SIGKILL


def test_a_process_ends_on_sigterm(start: Start) -> None:
    process = start("http.server", "0", "--bind", "127.0.0.1")
    process.terminate()
    assert process.wait(60) == -signal.SIGTERM
