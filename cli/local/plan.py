"""What `leadscore up` runs: the processes of a system, their ports and their settings."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cli.access.bootstrap import ADMIN_KEY
from cli.local import tied
from cli.operations.health import Health, ask
from cli.terminal.connection import SERVICES, Connection, full_name
from shared.cores import usable_cores

MAX_PROCESSES = 64
"""Largest number of processes of a kind; workers beyond the default number of partitions have nothing to do."""
GATEWAY_OFFSET = 5
"""Offset from the base port to the port of the gateway."""
HEALTH_OFFSET = 10
"""Offset from the base port to the health ports of the workers: first scoring, then automation."""
METRICS_OFFSET = 150
"""Offset from the base port to the metrics ports of all processes, beyond the last health port."""


@dataclass(frozen=True, slots=True)
class Program:
    """A server or worker: its name, its command, and the port and the name under which it reports its health.

    `processes` is the number of processes that listen on its port. Each of them has a metrics page of its own, the
    first one at `metrics_port`; 0 means none.
    """

    name: str
    module: str
    command: str
    port: int
    health_name: str = ""
    processes: int = 1
    metrics_port: int = 0

    @property
    def service(self) -> str:
        """The service that it belongs to, such as `scoring`."""
        return self.module.removesuffix("_service")

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables for the ports and the number of processes."""
        variables = {"PORT" if self.command == "serve" else "HEALTH_PORT": self.port}
        if self.metrics_port:
            variables["METRICS_PORT"] = self.metrics_port
        if self.processes > 1:
            variables["PROCESSES"] = self.processes
        return {f"LEADSCORE_{name}": str(value) for name, value in variables.items()}

    @property
    def metrics_ports(self) -> Sequence[int]:
        """The ports of the metrics pages of its processes."""
        return range(self.metrics_port, self.metrics_port + self.processes) if self.metrics_port else ()

    @property
    def command_line(self) -> list[str]:
        """The command that runs the process until it is stopped or its standard input closes."""
        return [sys.executable, "-m", self.module, self.command, "--stop-with-parent"]

    def is_serving(self) -> bool:
        """Returns whether the process reports that it is serving."""
        return ask(f"127.0.0.1:{self.port}", self.health_name, seconds=1) is Health.SERVING


class HttpProgram(Program):
    """A server whose callers speak HTTP, like its health check."""

    def is_serving(self) -> bool:
        """Returns whether the server says that it is healthy."""
        from cli.http.health import is_healthy  # takes long to import

        return is_healthy(self.port)


class EnvoyProgram(HttpProgram):
    """A server that becomes Envoy, which does not watch its standard input."""

    @property
    def command_line(self) -> list[str]:
        """The command that runs the process until it is stopped or its standard input closes."""
        return tied.command_for(sys.executable, "-m", self.module, self.command)


def cores() -> int:
    """Returns the number of processor cores that this process may use, at most `MAX_PROCESSES`."""
    return usable_cores(MAX_PROCESSES)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run and where; `settings` are environment variables for every process.

    The default is one scoring worker per core: scoring is most of the work, and a worker uses one core.

    With `http_port` it also serves the HTTP API, at that port, and the gateway.

    With `own_databases` the system starts its own MongoDB and Redis, even if the environment configures others.
    With `keys` it has API keys, in the directory `keys` of the data directory, and refuses calls without one.
    """

    connection: Connection
    data_dir: Path
    scoring_workers: int = field(default_factory=cores)
    automation_workers: int = 1
    ingest_processes: int = 1
    http_port: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    own_databases: bool = False
    keys: bool = False

    @property
    def key_file(self) -> Path:
        """The file of the key for people, if the system has keys."""
        return self.data_dir / "keys" / ADMIN_KEY

    def programs(self) -> list[Program]:
        """Returns every process: the servers, at the ports that clients use, the workers, and the HTTP API."""
        base = self.connection.base_port
        servers = [
            Program(
                f"{service}-0",
                f"{service}_service",
                "serve",
                base + number,
                full_name(service),
                self.ingest_processes if service == "ingest" else 1,
            )
            for number, service in enumerate(SERVICES)
        ]
        workers = [
            (service, number)
            for service, count in (("scoring", self.scoring_workers), ("automation", self.automation_workers))
            for number in range(count)
        ]
        programs = (
            servers
            + [
                Program(f"{service}-worker-{number}", f"{service}_service", "work", base + HEALTH_OFFSET + index)
                for index, (service, number) in enumerate(workers)
            ]
            + self._gateway()
        )
        return _with_metrics(programs, base + METRICS_OFFSET) + self._envoy()

    @property
    def gateway_port(self) -> int:
        """The port of the gateway, which takes what other programs send to the HTTP API."""
        return self.connection.base_port + GATEWAY_OFFSET

    def _gateway(self) -> list[Program]:
        return [HttpProgram("gateway-0", "gateway_service", "serve", self.gateway_port)] if self.http_port else []

    def _envoy(self) -> list[Program]:
        return [EnvoyProgram("http", "cli.http", "serve", self.http_port)] if self.http_port else []


def _with_metrics(programs: Iterable[Program], port: int) -> list[Program]:
    """Gives each process a metrics port, counting from the given one."""
    found: list[Program] = []
    for program in programs:
        found.append(replace(program, metrics_port=port))
        port += program.processes
    return found
