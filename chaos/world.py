"""A world: databases, every service and worker, a receiver, and a journal of what clients saw; rounds share it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from leadscore.client.keys import with_key
from pymongo import AsyncMongoClient

from chaos import armed, clock, crash_points, hanging, poison, rules
from chaos.checker import Checker
from chaos.findings import Findings
from chaos.journal import Journal
from chaos.policy import CHANNEL_OPTIONS
from chaos.process_logs import ProcessLogs
from chaos.processes import Processes
from chaos.receipts import GOOD, HOSTILE, Receipts
from chaos.security import Security
from chaos.servers import Mongo, Redis
from chaos.stalls import Stalls
from chaos.threads import in_thread
from shared.mongo import Document
from testkit.receiver import Receiver, answering, receiving
from testkit.system import System

RULES_AGE = timedelta(hours=2)
PARTITIONS = 16
_SETTINGS = {
    "LEADSCORE_PARTITIONS": str(PARTITIONS),
    "LEADSCORE_DELIVERY_SCHEDULE": ",".join(["0.3"] * 500),
    "LEADSCORE_REFUSED_DELIVERY_SCHEDULE": ",".join(["0.3"] * 500),
    armed.CLAIM: "3",
    # Servers read the erasures every 3 s, and no call of a client takes longer than 5 s.
    armed.SETTLE: "10",
    # So that rounds store leads in both ways.
    armed.REINSERTED: "3",
}


class World:
    """A running world; see `running_world`."""

    def __init__(self, directory: Path, mongo: Mongo, redis: Redis, receiver: Receiver, record: Path) -> None:
        self.mongo = mongo
        self.redis = redis
        self.receiver = receiver
        self.journal = Journal()
        self.findings = Findings()
        self.receipts = Receipts(receiver, self.journal, self.show)
        self.stalls = Stalls()
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
        self._record = record
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._security = Security(directory / "security")
        settings = {
            **_SETTINGS,
            **self._security.settings,
            "LEADSCORE_MONGO_URI": mongo.product_uri,
            "LEADSCORE_REDIS_URL": redis.product_url,
            **clock.environment(self._clock_file),
            poison.FILE: str(self.poison_file),
            hanging.FILE: str(self.hang_file),
        }
        self.processes = Processes(
            System(directory, mongo.members[0], redis, settings),
            ProcessLogs(directory, self.findings),
            self.findings,
            record=record,
            poison_file=self.poison_file,
        )

    @property
    def database(self) -> Any:
        """The database, read by the harness."""
        return self.client["leadscore"]

    def channel(self, server: str) -> grpc.aio.Channel:
        """Returns a channel of a client that follows the documented retry policy."""
        if server not in self._channels:
            channel = self.processes.system.open_channel(server, CHANNEL_OPTIONS)
            self._channels[server] = with_key(channel, self._security.key)
        return self._channels[server]

    def impatient_channel(self, server: str) -> grpc.aio.Channel:
        """Returns a channel of a client that retries nothing."""
        return with_key(self.processes.system.channel(server), self._security.key)

    def crashes(self) -> Counter[str]:
        """Returns how often each crash point has fired, by the record."""
        return crash_points.recorded(self._record)

    def pids(self) -> dict[str, int]:
        """Returns the process ids by name, including those of the databases."""
        databases = {f"mongod {number}": member.pid for number, member in enumerate(self.mongo.members)}
        return {**self.processes.system.pids(), **databases, "redis": self.redis.pid}

    def set_clock(self, ahead: timedelta) -> None:
        """Sets the clock of all services, including running ones."""
        self.clock_ahead = ahead
        clock.set_clock(self._clock_file, ahead)

    async def start(self) -> None:
        """Starts everything and creates the rules."""
        await self._security.store_keys(self.database)
        await self.processes.start_all()
        self.receipts.answer(GOOD, answering(200), 200)
        self.receipts.answer(HOSTILE, answering(200), 200)
        # The rules must be older than every change, so that they apply to all of them even after a clock has gone back.
        self.set_clock(-RULES_AGE)
        for path in (GOOD, HOSTILE):
            await rules.create(self.channel("automation"), self.receiver, path)
        self.set_clock(timedelta())

    async def close(self) -> None:
        """Stops everything except the databases."""
        for channel in self._channels.values():
            await channel.close()
        await self.checker.close()
        await self.client.close()
        await self.processes.stop_all()

    @contextlib.asynccontextmanager
    async def must_be_called(self, path: str) -> AsyncIterator[None]:
        """Requires a request to a path of the receiver, within the block or soon after it."""
        before = self.receipts.count(path)
        yield
        await self.findings.until(lambda: self.receipts.count(path) > before, f"no request came to {path}")

    def show(self, lead_id: str, sequence: int, **facts: object) -> None:
        """Records the fields of an entry that a response or a delivery showed, under their names in the history."""
        if lead_id in self.journal.erased:
            return  # it may begin anew before the servers know of the erasure
        shown = self.journal.shown.setdefault((lead_id, sequence), {})
        for name, fact in facts.items():
            if shown.setdefault(name, fact) != fact:
                self.findings.add("I10", f"{lead_id} {sequence}: {name} {shown[name]} was shown, then {fact}")


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
        for background in (world.processes.supervise(), world.stalls.run()):
            stack.callback(asyncio.create_task(background).cancel)
        yield world
