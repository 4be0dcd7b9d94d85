"""The watchdog: ends a process that is stuck, so that its supervisor restarts it.

Guarantee: if a loop makes no progress for `MAX_SILENT_SECONDS`, or the process does not stop when it should, it
exits with one log line and status `FAILED`, even if its event loop is blocked. Time during which the process itself is
suspended, by SIGSTOP or with its machine, does not count. The watchdog does nothing before `arm` is called.
"""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared import logs
from shared.metrics.process import LOOP_LAG

FAILED = 70
"""Exit status of a process that ends because a part of it failed (EX_SOFTWARE)."""
MAX_SILENT_SECONDS = 10.0
"""A loop without a beat for this long is stuck: no turn takes longer than one transaction."""
TICK_SECONDS = 0.5
"""Interval of the checks of the watchdog, and of the beats of the event loop."""
LOG_SECONDS = 1.0
"""Longest time for the last log line; the log itself may be what blocks the process."""
FRAMES = 5
"""Number of innermost stack frames of a blocked event loop that are logged."""

_LOG = logs.get(__name__)
_armed = threading.Event()


class Heartbeat:
    """Records the last beat of each registered loop: asyncio tasks, and the event loop itself."""

    def __init__(self) -> None:
        self._turns: dict[asyncio.Task[Any] | None, float] = {}

    @contextmanager
    def loop(self) -> Iterator[None]:
        """Registers the current task as a loop while the block runs."""
        self._turns[asyncio.current_task()] = time.monotonic()
        try:
            yield
        finally:
            del self._turns[asyncio.current_task()]

    def beat(self) -> None:
        """Records progress of the current task, if it is a registered loop."""
        task = asyncio.current_task()
        if task in self._turns:
            self._turns[task] = time.monotonic()

    @contextmanager
    def event_loop(self) -> Iterator[None]:
        """Registers the event loop itself while the block runs."""
        loop = asyncio.get_running_loop()
        handle: asyncio.Handle

        def beat() -> None:
            nonlocal handle
            now = time.monotonic()
            LOOP_LAG.observe(max(0.0, now - self._turns[None] - TICK_SECONDS))
            self._turns[None] = now
            handle = loop.call_later(TICK_SECONDS, beat)

        handle = loop.call_soon(beat)
        self._turns[None] = time.monotonic()
        try:
            yield
        finally:
            handle.cancel()
            del self._turns[None]

    def turns(self) -> dict[asyncio.Task[Any] | None, float]:
        """Returns each loop's last turn, in seconds of the monotonic clock; safe to call from another thread."""
        return self._turns.copy()

    def is_alive(self) -> bool:
        """Returns whether there is a loop and every loop has beaten within `MAX_SILENT_SECONDS`."""
        turns = self._turns.values()
        return bool(turns) and time.monotonic() - min(turns) <= MAX_SILENT_SECONDS


class _Watchdog(threading.Thread):
    """Counts, for each loop, its own ticks since the loop's last turn."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._heartbeat = heartbeat
        self._event_loop_thread = threading.get_ident()
        self._over = threading.Event()

    def end(self) -> None:
        """Ends the watch."""
        self._over.set()
        self.join()

    def run(self) -> None:
        """Checks the loops until `end` is called."""
        seen = self._heartbeat.turns()
        silent = dict.fromkeys(seen, 0.0)
        while not self._over.wait(TICK_SECONDS):
            turns = self._heartbeat.turns()
            silent = {
                loop: silent.get(loop, 0.0) + TICK_SECONDS if seen.get(loop) == turn else 0.0
                for loop, turn in turns.items()
            }
            seen = turns
            stuck = [loop for loop, seconds in silent.items() if seconds >= MAX_SILENT_SECONDS]
            if stuck:
                names = sorted({loop.get_name() if loop else "event loop" for loop in stuck})
                end_process("process is stuck and ends", loops=names, at=self._where())

    def _where(self) -> list[str]:
        """Returns where the thread of the event loop is, innermost frame last."""
        frame = sys._current_frames().get(self._event_loop_thread)  # noqa: SLF001 (as documented)
        stack = traceback.extract_stack(frame)[-FRAMES:] if frame else []
        return [f"{each.name} ({Path(each.filename).name}:{each.lineno})" for each in stack]


def arm() -> None:
    """Allows the watchdog to end this process. Called where a process starts, never in a test."""
    _armed.set()


@contextmanager
def watching(heartbeat: Heartbeat) -> Iterator[None]:
    """Ends the process, if the watchdog is armed, when one of its loops gets stuck while the block runs.

    The event loop is one of them.
    """
    with heartbeat.event_loop():
        if not _armed.is_set():
            yield
            return
        watchdog = _Watchdog(heartbeat)
        watchdog.start()
        try:
            yield
        finally:
            watchdog.end()


def end_within(seconds: float) -> None:
    """Ends the process, if the watchdog is armed, unless it stops by itself within `seconds`."""
    if _armed.is_set():
        timer = threading.Timer(seconds, end_process, ["process does not stop and is ended"])
        timer.daemon = True
        timer.start()


def end_process(event: str, **fields: object) -> None:
    """Ends the process at once, with a log line."""
    log_thread = threading.Thread(target=lambda: _LOG.critical(event, **fields), daemon=True)
    log_thread.start()
    log_thread.join(LOG_SECONDS)
    os._exit(FAILED)
