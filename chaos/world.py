"""A world: databases, every service and worker, a receiver, and what the outside saw of them; rounds share it.

What dies is started again, as a supervisor does. Whatever blocks runs in a thread, so that the clients of the harness,
which are in the event loop, are never late because of it.
"""

import asyncio
import contextlib
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from leadscore.automation.v1 import automation_pb2, automation_pb2_grpc
from pymongo import AsyncMongoClient
from standardwebhooks import Webhook

from chaos import armed, clock, crash_points, hanging, poison
from chaos.checker import Checker
from chaos.journal import Journal, Request
from chaos.servers import Mongo, Redis
from chaos.stalls import Stalls
from shared.mongo import Document
from testkit.receiver import SECRET, Behaviour, Receiver, Writer, answering, receiving
from testkit.receiver import Request as Received
from testkit.system import NO_SETTINGS, SERVERS, STOP_SECONDS, WORKERS, System

RESTART_SECONDS = 1.0
"""What has died is not started more often than this."""
ASKED_SECONDS = 40.0
"""Within this time after a fault has begun somebody must have met it."""
RULES_AGE = timedelta(hours=2)
STARTUP_ERROR = 1
"""The exit status of a process that cannot begin, and says why."""
READY = b"worker ready"
"""What a worker logs when it works."""
UNFORESEEN = (b'"level": "error"', b"Traceback")
"""What no process may log, whatever is broken."""
MAX_CHARACTERS = 300
GOOD, HOSTILE = "/good", "/hostile"
"""The paths of the receiver: one that always takes what it gets, and one that need not."""
RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "waitForReady": True,
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "5s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"],
            },
        }
    ]
}
"""The retry policy that the README tells clients to have."""
_CHANNEL = [
    ("grpc.service_config", json.dumps(RETRIES)),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]
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
        self.violations: list[tuple[str, str]] = []
        """What the harness itself saw: the invariant, and a sentence."""
        self.stalls = Stalls()
        self.is_under_fault = False
        self.unaffected: Collection[str] = ()
        """Methods whose calls must succeed although a fault is on."""
        self.began = datetime.now(UTC)
        """A decay run that is repeated has the same time, also when midnight has passed."""
        self.decay_day = 0
        """Days that decay runs have come forward since the first one."""
        self.clock_ahead = timedelta()
        """How far the clock of the services is ahead of the machine's; behind it when negative."""
        self._clock_file = directory / "clock"
        self.checker = Checker(mongo.uri, self.journal)
        self.client: AsyncMongoClient[Document] = AsyncMongoClient(mongo.uri, tz_aware=True)
        self.poison_file = directory / "poison"
        self.hang_file = directory / "hang"
        self.doomed: set[str] = set()
        """Processes that end themselves because of the fault, with whatever status, and may log why."""
        self._record = record
        self._received_leads: set[tuple[str, str]] = set()
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
        """The database, as the harness reads it."""
        return self.client["leadscore"]

    def channel(self, server: str) -> grpc.aio.Channel:
        """Returns a channel of a client that follows the documented retry policy."""
        if server not in self._channels:
            self._channels[server] = grpc.aio.insecure_channel(self.system.target(server), options=_CHANNEL)
        return self._channels[server]

    def crashes(self) -> Counter[str]:
        """Returns how often each crash point has fired, as far as is recorded."""
        return crash_points.recorded(self._record)

    def pids(self) -> dict[str, int]:
        """Returns the ids of all processes by name, those of the databases too."""
        databases = {f"mongod {number}": member.pid for number, member in enumerate(self.mongo.members)}
        return {**self.system.pids(), **databases, "redis": self.redis.pid}

    def kill(self, *names: str) -> None:
        """Kills processes as a crash would; the supervisor starts them again."""
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
    async def further(self, name: str) -> AsyncIterator[None]:
        """Runs a further worker while the block runs, which begins when it works."""
        self._start(name)
        self.processes.append(name)
        try:
            await self.until(lambda: READY in self.logged(name), f"{name} was not ready")
            yield
        finally:
            self.processes.remove(name)
            await self._stop(name)

    async def restart(self, name: str, settings: Mapping[str, str] = NO_SETTINGS) -> None:
        """Ends a process cleanly and starts it again, with further settings until the next start."""
        self._held.add(name)
        try:
            if self.system.has_ended(name):
                self._look_at(name, self.system.status(name))
            else:
                await self._stop(name)
            self._start(name, settings)
        finally:
            self._held.discard(name)
        if name in SERVERS:
            await self.serving(name)

    async def arm(self, point: str, fatal_pass: int) -> None:
        """Starts the process of a crash point again, to die there."""
        at = {crash_points.AT: point, crash_points.PASS: str(fatal_pass), crash_points.RECORD: str(self._record)}
        await self.restart(crash_points.POINTS[point].process, at)

    def set_clock(self, ahead: timedelta) -> None:
        """Sets the clock of all services, the running ones too."""
        self.clock_ahead = ahead
        clock.set_clock(self._clock_file, ahead)

    async def serving(self, *servers: str) -> None:
        """Waits until servers serve, but not for ever."""
        with contextlib.suppress(AssertionError):  # one that has died meanwhile is started again
            await asyncio.to_thread(self.system.wait_until_serving, *servers)

    async def start(self) -> None:
        """Starts everything and creates the rules."""
        await asyncio.to_thread(self.system.migrate)
        for name in self.processes:
            self._start(name)
        await asyncio.to_thread(self.system.wait_until_serving, *SERVERS)
        self.answer(GOOD, answering(200), 200)
        self.answer(HOSTILE, answering(200), 200)
        # Rules that are older than any change: what fires by them must have an execution, also when clocks go back.
        self.set_clock(-RULES_AGE)
        for path in (GOOD, HOSTILE):
            await self._create_rule(path)
        self.set_clock(timedelta())

    def answer(self, path: str, behaviour: Behaviour, status: int) -> None:
        """Lets the receiver behave so at a path, and the journal note the status with which it answers (0: none)."""

        async def behave(received: Received, writer: Writer) -> None:
            self._note(received, status)
            await behaviour(received, writer)

        self.receiver.by_path[path] = behave

    @contextlib.asynccontextmanager
    async def must_be_called(self, path: str) -> AsyncIterator[None]:
        """Sees to it that a request comes to a path of the receiver in the block, or soon after it."""
        before = self._count_requests(path)
        yield
        await self.until(lambda: self._count_requests(path) > before, f"no request came to {path}")

    def received_leads(self, path: str) -> set[str]:
        """Returns the leads of which a request at a path of the receiver has told."""
        return {lead_id for seen_at, lead_id in self._received_leads if seen_at == path}

    def report_no_fault(self, why: str) -> None:
        """Enters that a fault was not on, so that its round shows nothing."""
        self.violations.append(("round", f"the fault did not happen: {why}"))

    def show(self, lead_id: str, sequence: int, **facts: object) -> None:
        """Enters what was shown of an entry to somebody, by the names that its fields have in the history."""
        shown = self.journal.shown.setdefault((lead_id, sequence), {})
        for name, fact in facts.items():
            if shown.setdefault(name, fact) != fact:
                what = f"{lead_id} {sequence}: {name} {shown[name]} was shown, then {fact}"
                self.violations.append(("I10", what))

    def look_at_logs(self) -> None:
        """Enters what the processes have logged since the last look that no fault may bring about."""
        for log in sorted(self._directory.glob("*.log")):
            with log.open("rb") as lines:
                lines.seek(self._read.get(log.name, 0))
                for line in lines:
                    if any(word in line for word in UNFORESEEN) and log.stem not in self.doomed:
                        said = line.decode(errors="replace").strip()
                        self.violations.append(("log", f"{log.stem} logged {said[:MAX_CHARACTERS]}"))
                self._read[log.name] = lines.tell()

    async def enable_rule(self, path: str) -> None:
        """Enables the rule of a path again, as an operator does after a receiver was gone."""
        update = automation_pb2.UpdateAutomationRuleRequest(
            rule=automation_pb2.AutomationRule(rule_id=path[1:], enabled=True)
        )
        update.update_mask.paths.append("enabled")
        stub = automation_pb2_grpc.AutomationServiceStub(self.channel("automation"))
        await stub.UpdateAutomationRule(update, timeout=30, wait_for_ready=True)

    async def supervise(self) -> None:
        """Starts again what has ended, for ever."""
        while True:
            for name in self.processes:
                if name not in self._held and self._may_start(name) and self.system.has_ended(name):
                    self._look_at(name, self.system.status(name))
                    self._start(name)
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Ends everything but the databases."""
        self._held.update(self.processes)
        for channel in self._channels.values():
            await channel.close()
        await self.checker.close()
        await self.client.close()
        await asyncio.to_thread(self.system.stop_all)

    async def _stop(self, name: str) -> None:
        began = time.monotonic()
        status = await asyncio.to_thread(self.system.stop, name)
        # It may also have died at an armed point just now, or have been told before it could listen.
        self._look_at(name, status, 0, -signal.SIGTERM)
        if status == -signal.SIGKILL and time.monotonic() - began >= STOP_SECONDS:
            self.violations.append(("stop", f"{name} did not end within {STOP_SECONDS:g} s of SIGTERM"))

    def _look_at(self, name: str, status: int | None, *expected: int) -> None:
        """Enters a process that has died of something that nobody did to it."""
        fine = {-signal.SIGKILL, *expected}
        if self.poison_file.exists():
            fine.add(poison.STATUS)
        if self.is_under_fault:
            fine.add(STARTUP_ERROR)  # the database was away as it began; all else that ends so leaves a traceback
        if status not in fine and name not in self.doomed:
            self.violations.append(("I15", f"{name} ended by itself with status {status}"))

    async def until(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Waits until something holds that makes a fault one, or enters that it was none."""
        ends = time.monotonic() + ASKED_SECONDS
        while not holds():
            if time.monotonic() > ends:
                self.report_no_fault(otherwise)
                return
            await asyncio.sleep(0.05)

    def logged(self, name: str) -> bytes:
        """Returns what a process has logged since it was started."""
        with (self._directory / f"{name}.log").open("rb") as log:
            log.seek(self._began_at.get(name, 0))
            return log.read()

    def _count_requests(self, path: str) -> int:
        return sum(request.path == path for request in self.receiver.requests)

    def _may_start(self, name: str) -> bool:
        return time.monotonic() - self._started[name] > RESTART_SECONDS

    def _start(self, name: str, settings: Mapping[str, str] = NO_SETTINGS) -> None:
        self._started[name] = time.monotonic()
        log = self._directory / f"{name}.log"
        self._began_at[name] = log.stat().st_size if log.exists() else 0
        self.system.start(name, module="chaos.armed", settings=settings)

    async def _create_rule(self, path: str) -> None:
        rule = automation_pb2.AutomationRule(rule_id=path[1:], enabled=True)
        rule.conditions.minimum_score = 11
        action = rule.actions.add(action_id="crm")
        action.webhook.url = self.receiver.url(path)
        action.webhook.secrets.append(SECRET)
        stub = automation_pb2_grpc.AutomationServiceStub(self.channel("automation"))
        request = automation_pb2.CreateAutomationRuleRequest(rule=rule)
        await stub.CreateAutomationRule(request, timeout=30, wait_for_ready=True)

    def _note(self, received: Received, status: int) -> None:
        delivery_id = received.headers["webhook-id"]
        # By the sender's own time: clocks are among the faults.
        signed_at = datetime.fromtimestamp(int(received.headers["webhook-timestamp"]), UTC)
        signature = Webhook(SECRET).sign(delivery_id, signed_at, received.body.decode())
        has_valid_signature = signature in received.headers["webhook-signature"].split()
        self.journal.requests.append(Request(delivery_id, received.body, has_valid_signature, status))
        told = json.loads(received.body)["data"]
        self._received_leads.add((received.path, told["lead"]["lead_id"]))
        self.show(told["lead"]["lead_id"], told["sequence"], score_after=told["score"]["after"])


@contextlib.asynccontextmanager
async def running_world(directory: Path, record: Path, *, members: int) -> AsyncIterator[World]:
    """Runs a new world in a directory, with a MongoDB of one member or of three.

    The file `record` gets the crash points that fire; worlds may share one.
    """
    mongo, redis = Mongo(directory, members), Redis(directory / "redis")
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(receiving())
        await stack.enter_async_context(in_thread(mongo.running()))
        await stack.enter_async_context(in_thread(redis.running()))
        world = World(directory, mongo, redis, receiver, record)
        stack.push_async_callback(world.close)
        await world.start()
        for beside in (world.supervise(), world.stalls.run()):
            stack.callback(asyncio.create_task(beside).cancel)
        yield world


@contextlib.asynccontextmanager
async def in_thread(manager: contextlib.AbstractContextManager[None]) -> AsyncIterator[None]:
    """Enters and leaves something that blocks without keeping the clients of the harness waiting."""
    await asyncio.to_thread(manager.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)
