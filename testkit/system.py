"""Runs the whole system as processes, each in its own process group, so that any of them can be killed.

Unlike `leadscore up`, it does not restart processes that end, and each service has its own user of MongoDB, who may do
no more than `shared.database_rights` says.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from leadscore.admin.v1 import admin_pb2_grpc
from leadscore.automation.v1 import automation_pb2_grpc
from leadscore.client.tls import Tls, open_async_channel, open_channel
from leadscore.ingest.v1 import ingest_pb2_grpc
from leadscore.intelligence.v1 import intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2_grpc

from cli.local.embedded import EmbeddedMongo, EmbeddedRedis, free_port
from shared.database_users import FILE
from testkit.metrics import Page, fetch
from testkit.processes import Process
from testkit.secret_keys import KEY

SERVERS = ("ingest", "scoring", "automation", "intelligence", "admin")
WORKERS = ("scoring-worker", "automation-worker")
READY_SECONDS = 120.0
STOP_SECONDS = 30.0
NO_SETTINGS: Mapping[str, str] = {}


class System:
    """A running system. Processes are named `ingest`, `scoring`, …, `scoring-worker`, `automation-worker`."""

    def __init__(
        self,
        directory: Path,
        mongo: EmbeddedMongo,
        redis: EmbeddedRedis,
        settings: Mapping[str, str] = NO_SETTINGS,
        *,
        metrics: bool = False,
    ) -> None:
        self.mongo = mongo
        self.redis = redis
        self.ports = {name: free_port() for name in SERVERS}
        self._metrics_ports: dict[str, int] | None = {} if metrics else None
        self._directory = directory
        self._users = directory / "users"
        self._processes: dict[str, Process] = {}
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._environment = os.environ | {
            "LEADSCORE_MONGO_URI": mongo.uri,
            "LEADSCORE_REDIS_URL": redis.url,
            "LEADSCORE_SCORING_TARGET": self.target("scoring"),
            "LEADSCORE_INTELLIGENCE_TARGET": self.target("intelligence"),
            # The receivers of tests run on this machine.
            "LEADSCORE_WEBHOOK_HTTP": "true",
            "LEADSCORE_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "LEADSCORE_SECRET_KEYS": KEY,
            **settings,
        }

    def target(self, server: str) -> str:
        """Returns the address of a server, or of a worker's health check."""
        return f"127.0.0.1:{self.ports[server]}"

    def migrate(self) -> None:
        """Creates the collections, the indexes and the database users of the services."""
        for service in SERVERS:
            self.run(service, "migrate", "--with-users", str(self._users))

    def run(
        self, service: str, command: str, *options: str, module: str = "", settings: Mapping[str, str] = NO_SETTINGS
    ) -> None:
        """Runs a command of a service that ends, such as `migrate`, and expects it to succeed; see `start`."""
        log = self._directory / f"{command}.log"
        name, arguments = (module, [service, command]) if module else (f"{service}_service", [command])
        status = Process(name, [*arguments, *options], self._environment | dict(settings), log).wait(60)
        assert status == 0, self.log(command)

    def _user(self, service: str) -> dict[str, str]:
        """Returns the variable with the URI of a service's own user."""
        return {"LEADSCORE_MONGO_URI": (self._users / service / FILE).read_text()}

    def start(self, name: str, *, module: str = "", settings: Mapping[str, str] = NO_SETTINGS) -> None:
        """Starts a process; the `name` of an additional one ends in a number: `scoring-worker-2`, `ingest.2`.

        `module` runs instead of the service and gets its name as an argument; see `chaos.armed`.
        """
        service, _, worker = name.partition("-")
        service = service.partition(".")[0]
        command = "work" if worker else "serve"
        if name not in self.ports:
            self.ports[name] = free_port()
        port = {"LEADSCORE_HEALTH_PORT" if worker else "LEADSCORE_PORT": str(self.ports[name])}
        if self._metrics_ports is not None:
            self._metrics_ports.setdefault(name, free_port())
            port["LEADSCORE_METRICS_PORT"] = str(self._metrics_ports[name])
        self._processes[name] = Process(
            module or f"{service}_service",
            [service, command] if module else [command],
            self._environment | self._user(service) | port | dict(settings),
            self._directory / f"{name}.log",
        )

    def start_all(self) -> None:
        """Starts every process and waits until all are SERVING."""
        for name in (*SERVERS, *WORKERS):
            self.start(name)
        self.wait_until_serving(*SERVERS, *WORKERS)

    def wait_until_serving(self, *servers: str) -> None:
        """Waits until servers or workers are SERVING."""
        ends = time.monotonic() + READY_SECONDS
        for server in servers:
            while not self.is_serving(server):
                code = self._processes[server].poll()
                assert code is None, f"{server} ended with {code}: {self.log(server)[-2000:]}"
                assert time.monotonic() < ends, f"expected {server} to serve within {READY_SECONDS} s"

    def kill(self, name: str) -> None:
        """Kills a process as a crash would."""
        self.signal(name, signal.SIGKILL)
        self._processes.pop(name).wait()

    def has_ended(self, name: str) -> bool:
        """Returns whether a process has ended by itself; if so, it can be started again."""
        return self.status(name) is not None

    def status(self, name: str) -> int | None:
        """Returns the exit status of a process, or None while it runs."""
        return self._processes[name].poll()

    def pids(self) -> dict[str, int]:
        """Returns the ids of the started processes by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def signal(self, name: str, number: signal.Signals) -> None:
        """Sends a signal to a process and its children."""
        os.killpg(self._processes[name].pid, number)

    def stop(self, name: str) -> int:
        """Stops a process with SIGTERM, or SIGKILL after `STOP_SECONDS`; returns its exit status."""
        process = self._processes.pop(name)
        process.terminate()
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return -signal.SIGKILL

    def stop_all(self) -> None:
        """Stops every process with SIGTERM, or SIGKILL after `STOP_SECONDS`."""
        for process in self._processes.values():
            process.terminate()
        for name in list(self._processes):
            try:
                self._processes[name].wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill(name)
        self._processes.clear()

    def log(self, name: str) -> str:
        """Returns what a process has logged."""
        return (self._directory / f"{name}.log").read_text()

    async def metrics(self, name: str) -> Page:
        """Fetches the metrics page of a process; the system must have been started with metrics."""
        assert self._metrics_ports is not None
        return await fetch(self._metrics_ports[name])

    def refused_rights(self) -> list[str]:
        """Returns the log lines about commands that MongoDB has refused: a right is missing in the table."""
        lines = (line for log in self._directory.glob("*.log") for line in log.read_text().splitlines())
        return [line for line in lines if "not authorized on" in line]

    def channel(self, server: str) -> grpc.aio.Channel:
        """Returns a channel to a server; call it in the event loop that uses it."""
        if server not in self._channels:
            self._channels[server] = self.open_channel(server)
        return self._channels[server]

    def open_channel(self, server: str, options: Iterable[tuple[str, Any]] = ()) -> grpc.aio.Channel:
        """Opens another channel to a server, over TLS if the settings of the system say so."""
        return open_async_channel(self.target(server), Tls.from_environment(self._environment), options)

    def ingest(self) -> "ingest_pb2_grpc.IngestServiceAsyncStub":
        """Returns a stub of the ingest service."""
        return ingest_pb2_grpc.IngestServiceStub(self.channel("ingest"))

    def scoring(self) -> "scoring_pb2_grpc.ScoringServiceAsyncStub":
        """Returns a stub of the scoring service."""
        return scoring_pb2_grpc.ScoringServiceStub(self.channel("scoring"))

    def automation(self) -> "automation_pb2_grpc.AutomationServiceAsyncStub":
        """Returns a stub of the automation service."""
        return automation_pb2_grpc.AutomationServiceStub(self.channel("automation"))

    def intelligence(self) -> "intelligence_pb2_grpc.IntelligenceServiceAsyncStub":
        """Returns a stub of the intelligence service."""
        return intelligence_pb2_grpc.IntelligenceServiceStub(self.channel("intelligence"))

    def admin(self) -> "admin_pb2_grpc.AdminServiceAsyncStub":
        """Returns a stub of the admin service."""
        return admin_pb2_grpc.AdminServiceStub(self.channel("admin"))

    async def close_channels(self) -> None:
        """Closes the channels; call it in the event loop that used them."""
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()

    def is_serving(self, server: str) -> bool:
        """Returns whether a server or a worker reports SERVING within a second."""
        with open_channel(self.target(server), Tls.from_environment(self._environment)) as channel:
            try:
                stub = health_pb2_grpc.HealthStub(channel)
                answer = stub.Check(  # type: ignore[attr-defined]  # the stubs lack it
                    health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=True
                )
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@contextmanager
def running_system(
    directory: Path,
    *,
    workers: Sequence[str] = (),
    settings: Mapping[str, str] = NO_SETTINGS,
    metrics: bool = False,
) -> Iterator[System]:
    """Runs a new system with databases of its own in a directory, with further workers if named, and stops it.

    `settings` are variables of the environment of every process. With `metrics`, each has a metrics page.
    """
    with ExitStack() as stack:
        mongo = stack.enter_context(EmbeddedMongo(directory / "mongo"))
        redis = stack.enter_context(EmbeddedRedis(directory / "redis"))
        system = System(directory, mongo, redis, settings, metrics=metrics)
        stack.callback(system.stop_all)
        system.migrate()
        system.start_all()
        for name in workers:
            system.start(name)
        yield system
        assert system.refused_rights() == [], "\n".join(system.refused_rights())
