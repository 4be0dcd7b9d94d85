"""The exit status of a process is read correctly, however many threads ask for it."""

import os
import signal
import threading
from pathlib import Path

from testkit.processes import Process

THREADS = 8


def statuses(process: Process) -> list[int]:
    """Kills a process while several threads wait for it; returns the status that each of them has read."""
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(process.wait(30))) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    os.kill(process.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    return found


def test_the_status_of_a_killed_process_is_the_same_for_all_threads(tmp_path: Path) -> None:
    for number in range(20):
        process = Process("http.server", ["--bind", "127.0.0.1", "0"], os.environ, tmp_path / f"{number}.log")
        assert statuses(process) == [-signal.SIGKILL] * THREADS
