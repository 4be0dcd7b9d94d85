"""A world: databases, every service and worker, a receiver, and a journal of what clients saw; rounds share it.

Processes that end are restarted, as a supervisor would. Blocking work runs in threads, so that it never delays the
clients of the harness, which share the event loop.
"""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from pymongo import AsyncMongoClient

from chaos import armed, clock, crash_points, hanging, poison, rules
from chaos.checker import Checker
from chaos.journal import Journal
from chaos.policy import CHANNEL_OPTIONS
from chaos.receipts import GOOD, HOSTILE, Receipts
from chaos.servers import Mongo, Redis
from chaos.stalls import Stalls
from chaos.threads import in_thread
from shared.mongo import Document
from testkit.receiver import Receiver, answering, receiving
from testkit.system import NO_SETTINGS, SERVERS, STOP_SECONDS, WORKERS, System

RESTART_SECONDS = 1.0
"""The shortest time between two starts of one process."""
FAULT_SECONDS = 40.0
"""The time within which a fault must take effect."""
RULES_AGE = timedelta(hours=2)
STARTUP_ERROR = 1
"""The exit status of a process that cannot start and logs why."""
READY = b"worker ready"
"""What a worker logs once it accepts work."""
UNEXPECTED = (b'"level": "error"', b"Traceback")
"""What no process may log under any fault."""
MAX_CHARACTERS = 300
PARTITIONS = 16
_SETTINGS = {
    "LEADSCORE_PARTITIONS": str(PARTITIONS),
    "LEADSCORE_DELIVERY_SCHEDULE": ",".join(["0.3"] * 500),
    armed.CLAIM: "3",
    armed.HEARTBEAT: "4",
}


class World:
    """A running world; see `running_world`."""

    def __init__(self, directory: Path, mongo: Mongo, redis: Redis, receiver: Receiver, record: Path) -> None:
        self.mongo = mongo
        self.redis = redis
        self.receiver = receiver
        self.journal = Journal()
        self.receipts = Receipts(receiver, self.journal, self.show)
        self.violations: list[tuple[str, str]] = []
        """Violations that the harness itself found: the invariant, and a sentence."""
        self.stalls = Stalls()
        self.is_under_fault = False
        self.unaffected: Collection[str] = ()
        """Methods whose calls must succeed during the fault."""
        self.began = datetime.now(UTC)
        """The reference time of decay runs, so that a repeated run has the same date after midnight."""
        self.decay_day = 0
        """Days from the first decay run to the latest one."""
        self.clock_ahead = timedelta()
        """How far the clock of the services is ahead of the machine's; behind it when negative."""
        self._clock_file = directory / "clock"
        self.checker = Checker(mongo.uri, self.journal)
        self.client: AsyncMongoClient[Document] = AsyncMongoClient(mongo.uri, tz_aware=True)
        self.poison_file = directory / "poison"
        self.hang_file = directory / "hang"
        self.doomed: set[str] = set()
        """Processes that the fault makes end themselves; they may have any status and log why."""
        self._record = record
        self._held: set[str] = set()
        self._directory = directory
        self._started: dict[str, float] = {}
        self._began_at: dict[str, int] = {}
        self._read: dict[str, int] = {}
        self._channels: dict[str, grpc.aio.Channel] = {}
        settings = {
            **_SETTINGS,
            "LEADSCORE_MONGO_URI": mongo.product_uri,
            "LEADSCORE_REDIS_URL": redis.product_url,
            **clock.environment(self._clock_file),
            poison.FILE: str(self.poison_file),
            hanging.FILE: str(self.hang_file),
        }
        self.system = System(directory, mongo.members[0], redis, settings)
        self.processes = [*SERVERS, *WORKERS]

    @property
    def database(self) -> Any:
        """The database, read by the harness."""
        return self.client["leadscore"]

    def channel(self, server: str) -> grpc.aio.Channel:
        """Returns a channel of a client that follows the documented retry policy."""
        if server not in self._channels:
            self._channels[server] = grpc.aio.insecure_channel(self.system.target(server), options=CHANNEL_OPTIONS)
        return self._channels[server]

    def crashes(self) -> Counter[str]:
        """Returns how often each crash point has fired, by the record."""
        return crash_points.recorded(self._record)

    def pids(self) -> dict[str, int]:
        """Returns the process ids by name, including those of the databases."""
        databases = {f"mongod {number}": member.pid for number, member in enumerate(self.mongo.members)}
        return {**self.system.pids(), **databases, "redis": self.redis.pid}

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
        self.processes.append(name)
        try:
            await self.until(lambda: READY in self.logged(name), f"{name} was not ready")
            yield
        finally:
            self.processes.remove(name)
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
            await self.wait_until_serving(name)

    async def arm(self, point: str, fatal_pass: int) -> None:
        """Restarts the process of a crash point so that it dies there."""
        at = {crash_points.AT: point, crash_points.PASS: str(fatal_pass), crash_points.RECORD: str(self._record)}
        await self.restart(crash_points.POINTS[point].process, at)

    def set_clock(self, ahead: timedelta) -> None:
        """Sets the clock of all services, including running ones."""
        self.clock_ahead = ahead
        clock.set_clock(self._clock_file, ahead)

    async def wait_until_serving(self, *servers: str) -> None:
        """Waits until servers are SERVING, up to a time limit."""
        with contextlib.suppress(AssertionError):  # a server that has died meanwhile is restarted
            await asyncio.to_thread(self.system.wait_until_serving, *servers)

    async def start(self) -> None:
        """Starts everything and creates the rules."""
        await asyncio.to_thread(self.system.migrate)
        for name in self.processes:
            self._start(name)
        await asyncio.to_thread(self.system.wait_until_serving, *SERVERS)
        self.receipts.answer(GOOD, answering(200), 200)
        self.receipts.answer(HOSTILE, answering(200), 200)
        # The rules must be older than every change, so that they apply to all of them even after a clock has gone back.
        self.set_clock(-RULES_AGE)
        for path in (GOOD, HOSTILE):
            await rules.create(self.channel("automation"), self.receiver, path)
        self.set_clock(timedelta())

    @contextlib.asynccontextmanager
    async def must_be_called(self, path: str) -> AsyncIterator[None]:
        """Requires a request to a path of the receiver, within the block or soon after it."""
        before = self.receipts.count(path)
        yield
        await self.until(lambda: self.receipts.count(path) > before, f"no request came to {path}")

    def report_no_fault(self, why: str) -> None:
        """Reports that a fault did not take effect, so its round proves nothing."""
        self.violations.append(("round", f"the fault did not happen: {why}"))

    def show(self, lead_id: str, sequence: int, **facts: object) -> None:
        """Records the fields of an entry that a response or a delivery showed, under their names in the history."""
        shown = self.journal.shown.setdefault((lead_id, sequence), {})
        for name, fact in facts.items():
            if shown.setdefault(name, fact) != fact:
                what = f"{lead_id} {sequence}: {name} {shown[name]} was shown, then {fact}"
                self.violations.append(("I10", what))

    def check_logs(self) -> None:
        """Reports errors and tracebacks that the processes have logged since the last call."""
        for log in sorted(self._directory.glob("*.log")):
            with log.open("rb") as lines:
                lines.seek(self._read.get(log.name, 0))
                for line in lines:
                    if any(word in line for word in UNEXPECTED) and log.stem not in self.doomed:
                        said = line.decode(errors="replace").strip()
                        self.violations.append(("log", f"{log.stem} logged {said[:MAX_CHARACTERS]}"))
                self._read[log.name] = lines.tell()

    async def supervise(self) -> None:
        """Restarts processes that have ended, until cancelled."""
        while True:
            for name in self.processes:
                if name not in self._held and self._may_start(name) and self.system.has_ended(name):
                    self._check_status(name, self.system.status(name))
                    self._start(name)
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Stops everything except the databases."""
        self._held.update(self.processes)
        for channel in self._channels.values():
            await channel.close()
        await self.checker.close()
        await self.client.close()
        await asyncio.to_thread(self.system.stop_all)

    async def _stop(self, name: str) -> None:
        began = time.monotonic()
        status = await asyncio.to_thread(self.system.stop, name)
        # It may have died at an armed crash point just now, or got SIGTERM before it handled signals.
        self._check_status(name, status, 0, -signal.SIGTERM)
        if status == -signal.SIGKILL and time.monotonic() - began >= STOP_SECONDS:
            self.violations.append(("stop", f"{name} did not end within {STOP_SECONDS:g} s of SIGTERM"))

    def _check_status(self, name: str, status: int | None, *expected: int) -> None:
        """Reports a process that ended with an unexpected status."""
        fine = {-signal.SIGKILL, *expected}
        if self.poison_file.exists():
            fine.add(poison.STATUS)
        if self.is_under_fault:
            fine.add(STARTUP_ERROR)  # the database was unreachable at start; any other cause leaves a traceback
        if status not in fine and name not in self.doomed:
            self.violations.append(("I15", f"{name} ended by itself with status {status}"))

    async def until(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Waits until a condition holds without which the fault has no effect; reports it if it never does."""
        ends = time.monotonic() + FAULT_SECONDS
        while not holds():
            if time.monotonic() > ends:
                self.report_no_fault(otherwise)
                return
            await asyncio.sleep(0.05)

    def logged(self, name: str) -> bytes:
        """Returns what a process has logged since its last start."""
        with (self._directory / f"{name}.log").open("rb") as log:
            log.seek(self._began_at.get(name, 0))
            return log.read()

    def _may_start(self, name: str) -> bool:
        return time.monotonic() - self._started[name] > RESTART_SECONDS

    def _start(self, name: str, settings: Mapping[str, str] = NO_SETTINGS) -> None:
        self._started[name] = time.monotonic()
        log = self._directory / f"{name}.log"
        self._began_at[name] = log.stat().st_size if log.exists() else 0
        self.system.start(name, module="chaos.armed", settings=settings)


@contextlib.asynccontextmanager
async def running_world(directory: Path, record: Path, *, members: int) -> AsyncIterator[World]:
    """Runs a new world in a directory, with a MongoDB of one member or of three.

    Crash points that fire are appended to the file `record`, which worlds may share.
    """
    mongo, redis = Mongo(directory, members), Redis(directory / "redis")
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(receiving())
        await stack.enter_async_context(in_thread(mongo.running()))
        await stack.enter_async_context(in_thread(redis.running()))
        world = World(directory, mongo, redis, receiver, record)
        stack.push_async_callback(world.close)
        await world.start()
        for background in (world.supervise(), world.stalls.run()):
            stack.callback(asyncio.create_task(background).cancel)
        yield world
