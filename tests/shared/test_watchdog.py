"""A process that is alive but stuck ends with one log line; a paused process does not."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shared.watchdog import FAILED

PROGRAM = """
import asyncio, signal, sys, time
from shared import entrypoint, logs, tasks, watchdog
from shared.settings import ProcessSettings
from shared.tasks import running
from shared.watchdog import Heartbeat, watching

HOW = sys.argv.pop(1)
# Limits are short only where they are to be reached, so that a busy machine reaches no other.
watchdog.MAX_SILENT_SECONDS = 60.0 if HOW in ("fail", "leave", "linger") else 1.0
watchdog.TICK_SECONDS = 0.05
watchdog.LOG_SECONDS = 1.0 if HOW == "flood" else 60.0
tasks.STOP_SECONDS = 0.5 if HOW == "linger" else 60.0

async def block():
    time.sleep(600)

async def wait():
    await asyncio.Event().wait()

async def flood():
    while True:
        logs.get("test").warning("x" * 10_000)

async def fail():
    raise ZeroDivisionError("planted")

async def leave():
    pass

async def linger():
    try:
        await wait()
    finally:
        await wait()

async def lane():
    with heartbeat.loop():
        await wait()

async def read():
    await asyncio.to_thread(sys.stdin.read)
    print("done", flush=True)

heartbeat = Heartbeat()

async def main(how):
    parts = {
        "lane": [lane], "fail": [fail], "leave": [leave], "linger": [linger, fail],
    }.get(how, [])
    with watching(heartbeat):
        async with running(*(part() for part in parts)):
            print("runs", flush=True)
            await {"block": block, "flood": flood, "read": read}.get(how, wait)()

def run(settings: ProcessSettings) -> None:
    \"\"\"Run.\"\"\"
    asyncio.run(main(HOW))

sys.modules["test_service"] = sys.modules["__main__"]
entrypoint.run("test_service", ProcessSettings, {"run": run})
"""


@contextmanager
def started(how: str) -> "Iterator[subprocess.Popen[str]]":
    """Starts the program, and yields it once it is running."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how, "run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "runs\n"
            yield process
        finally:
            process.kill()


def ended(how: str) -> list[dict[str, Any]]:
    """Runs the program until it ends by itself, and returns its log."""
    with started(how) as process:
        _, log = process.communicate(timeout=60)
        assert process.returncode == FAILED
        return [json.loads(line) for line in log.splitlines()]


def test_a_process_with_a_blocked_event_loop_ends_and_logs_where() -> None:
    (line,) = ended("block")
    assert (line["event"], line["level"], line["loops"]) == (
        "process is stuck and ends",
        "critical",
        ["event loop"],
    )
    assert line["at"][-1].startswith("block (")


def test_a_process_with_one_stuck_loop_ends() -> None:
    (line,) = ended("lane")
    assert (line["event"], line["loops"]) == ("process is stuck and ends", ["lane"])


@pytest.mark.parametrize(("how", "cause"), [("fail", "ZeroDivisionError"), ("leave", None)])
def test_a_process_ends_when_a_background_task_ends(how: str, cause: str | None) -> None:
    (line,) = ended(how)
    assert (line["event"], line["task"]) == ("background task ended", how)
    assert [each["exc_type"] for each in line.get("exception", [])] == ([cause] if cause else [])


def test_a_process_that_does_not_stop_after_a_failure_is_killed() -> None:
    assert [line["event"] for line in ended("linger")] == [
        "background task ended",
        "process does not stop and is ended",
    ]


def test_a_stuck_process_ends_even_if_nobody_reads_its_log() -> None:
    with started("flood") as process:
        assert process.wait(60) == FAILED


def test_a_paused_process_continues() -> None:
    with started("read") as process:
        os.kill(process.pid, signal.SIGSTOP)
        threading.Event().wait(2.5)  # more than twice the limit for a stuck loop
        os.kill(process.pid, signal.SIGCONT)
        out, log = process.communicate(timeout=60)
        assert (process.returncode, out, log) == (0, "done\n", "")
