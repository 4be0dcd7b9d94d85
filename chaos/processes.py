"""The servers and workers of a world: starts them, harms them, and restarts them as a supervisor would.

Blocking work runs in threads, so that it never delays the clients of the harness, which share the event loop.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from chaos import crash_points, poison
from chaos.findings import Findings
from chaos.process_logs import READY, ProcessLogs
from testkit.system import NO_SETTINGS, SERVERS, STOP_SECONDS, WORKERS, System

RESTART_SECONDS = 1.0
"""The shortest time between two starts of one process."""
STARTUP_ERROR = 1
"""The exit status of a process that cannot start and logs why."""


class Processes:
    """The processes of a system by name. `record` is the file to which crash points that fire are appended."""

    def __init__(
        self, system: System, logs: ProcessLogs, findings: Findings, *, record: Path, poison_file: Path
    ) -> None:
        self.system = system
        self.logs = logs
        self.names = [*SERVERS, *WORKERS]
        self._findings = findings
        self._record = record
        self._poison_file = poison_file
        self._held: set[str] = set()
        self._started: dict[str, float] = {}

    async def start_all(self) -> None:
        """Migrates the database, starts all processes, and waits until the servers are SERVING."""
        await asyncio.to_thread(self.system.migrate)
        for name in self.names:
            self._start(name)
        await asyncio.to_thread(self.system.wait_until_serving, *SERVERS)

    async def stop_all(self) -> None:
        """Stops all processes, and restarts none of them any more."""
        self._held.update(self.names)
        await asyncio.to_thread(self.system.stop_all)

    async def supervise(self) -> None:
        """Restarts processes that have ended, until cancelled."""
        while True:
            for name in self.names:
                if name not in self._held and self._may_start(name) and self.system.has_ended(name):
                    self._check_status(name, self.system.status(name))
                    self._start(name)
            await asyncio.sleep(0.1)

    def kill(self, *names: str) -> None:
        """Sends SIGKILL to processes; `supervise` restarts them."""
        for name in names:
            with contextlib.suppress(ProcessLookupError, KeyError):
                self.system.signal(name, signal.SIGKILL)

    @contextlib.asynccontextmanager
    async def frozen(self, *names: str) -> AsyncIterator[None]:
        """Freezes processes while the block runs."""
        for name in names:
            self.system.signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            for name in names:
                self.system.signal(name, signal.SIGCONT)

    @contextlib.asynccontextmanager
    async def extra_worker(self, name: str) -> AsyncIterator[None]:
        """Runs one more worker during the block, which starts once the worker is ready."""
        self._start(name)
        self.names.append(name)
        try:
            await self._findings.until(lambda: READY in self.logs.since_start(name), f"{name} was not ready")
            yield
        finally:
            self.names.remove(name)
            await self._stop(name)

    async def restart(self, name: str, settings: Mapping[str, str] = NO_SETTINGS) -> None:
        """Stops a process cleanly and starts it again, with additional settings until its next start."""
        self._held.add(name)
        try:
            if self.system.has_ended(name):
                self._check_status(name, self.system.status(name))
            else:
                await self._stop(name)
            self._start(name, settings)
        finally:
            self._held.discard(name)
        if name in SERVERS:
            with contextlib.suppress(AssertionError):  # a server that has died meanwhile is restarted
                await asyncio.to_thread(self.system.wait_until_serving, name)

    async def arm(self, point: str, fatal_pass: int) -> None:
        """Restarts the process of a crash point so that it dies there."""
        at = {crash_points.AT: point, crash_points.PASS: str(fatal_pass), crash_points.RECORD: str(self._record)}
        await self.restart(crash_points.POINTS[point].process, at)

    def _may_start(self, name: str) -> bool:
        return time.monotonic() - self._started[name] > RESTART_SECONDS

    def _start(self, name: str, settings: Mapping[str, str] = NO_SETTINGS) -> None:
        self._started[name] = time.monotonic()
        self.logs.begin(name)
        self.system.start(name, module="chaos.armed", settings=settings)

    async def _stop(self, name: str) -> None:
        began = time.monotonic()
        status = await asyncio.to_thread(self.system.stop, name)
        # It may have died at an armed crash point just now, or got SIGTERM before it handled signals.
        self._check_status(name, status, 0, -signal.SIGTERM)
        if status == -signal.SIGKILL and time.monotonic() - began >= STOP_SECONDS:
            self._findings.add("stop", f"{name} did not end within {STOP_SECONDS:g} s of SIGTERM")

    def _check_status(self, name: str, status: int | None, *expected: int) -> None:
        """Reports a process that ended with an unexpected status."""
        fine = {-signal.SIGKILL, *expected}
        if self._poison_file.exists():
            fine.add(poison.STATUS)
        if self._findings.is_under_fault:
            fine.add(STARTUP_ERROR)  # the database was unreachable at start; any other cause leaves a traceback
        if status not in fine and name not in self._findings.doomed:
            self._findings.add("I15", f"{name} ended by itself with status {status}")
