"""`leadscore up`: runs the whole system on this machine under supervisor, with embedded databases unless configured."""

import configparser
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cli.local.embedded import EmbeddedMongo, EmbeddedRedis
from cli.operations.health import Health, ask
from cli.terminal.connection import SERVICES, CommandError, Connection, full_name
from shared.settings import StartupError, StoreSettings, load

READY_SECONDS = 180.0
STOP_SECONDS = 30
MAX_PORT = 65_535
HEALTH_OFFSET = 10
"""Offset from the base port to the health ports of the workers: first scoring, then automation."""
Say = Callable[[str], None]
"""Prints a status line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run and where; `settings` are environment variables for every process.

    With `own_databases` the system starts its own MongoDB and Redis, even if the environment configures others.
    """

    connection: Connection
    data_dir: Path
    scoring_workers: int = 1
    automation_workers: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    own_databases: bool = False

    def programs(self) -> list["Program"]:
        """Returns every process: first the servers, at the ports that clients use, then the workers."""
        base = self.connection.base_port
        servers = [
            Program(f"{service}-0", f"{service}_service", "serve", base + number, full_name(service))
            for number, service in enumerate(SERVICES)
        ]
        workers = [
            (service, number)
            for service, count in (("scoring", self.scoring_workers), ("automation", self.automation_workers))
            for number in range(count)
        ]
        return servers + [
            Program(f"{service}-worker-{number}", f"{service}_service", "work", base + HEALTH_OFFSET + index)
            for index, (service, number) in enumerate(workers)
        ]


@dataclass(frozen=True, slots=True)
class Program:
    """A process: its name, the command that it runs, and the port and the name under which it reports its health."""

    name: str
    module: str
    command: str
    port: int
    health_name: str = ""

    @property
    def environment(self) -> str:
        """The environment variable for the port, in supervisor's syntax."""
        return f'LEADSCORE_{"PORT" if self.command == "serve" else "HEALTH_PORT"}="{self.port}"'

    def is_serving(self) -> bool:
        """Returns whether the process reports that it is serving."""
        return ask(f"127.0.0.1:{self.port}", self.health_name, seconds=1) is Health.SERVING


@contextmanager
def system(plan: Plan, say: Say) -> Iterator[Callable[[], None]]:
    """Runs a system while the block runs; all servers and workers are serving when it begins.

    Yields a function to call about once a second: it restarts database servers that have died.

    Raises:
        CommandError: The system cannot be started; the text gives the reason.
    """
    _require_free_ports(plan)
    with ExitStack() as stack:
        stack.enter_context(_locked(plan.data_dir))
        environment, embedded = _databases(plan, stack, say)
        say("creating collections and indexes")
        for service in ("ingest", "scoring", "automation"):
            _migrate(service, environment)
        say("starting the services")
        supervisor = stack.enter_context(_supervised(plan, environment))
        _wait_until_serving(plan, supervisor)

        def restart_databases() -> None:
            for server in embedded:
                if not server.is_running():
                    say(f"{server.program} died; restarting it")
                    server.start()
            if supervisor.poll() is not None:
                raise CommandError(f"supervisord exited; see {plan.data_dir / 'supervisord.log'}")

        yield restart_databases


def run_until_stopped(plan: Plan, say: Say, on_ready: Callable[[], None]) -> None:
    """Runs a system until SIGINT, SIGTERM or SIGHUP, then stops every process of it."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with system(plan, say) as restart_databases:
        if not stop.is_set():
            on_ready()
        while not stop.wait(1.0):
            restart_databases()
        say("stopping")


def is_free(port: int) -> bool:
    """Returns whether a port of 127.0.0.1 is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _require_free_ports(plan: Plan) -> None:
    for program in plan.programs():
        if program.port > MAX_PORT:
            raise CommandError(f"port {program.port} for {program.name} does not exist: choose a lower --base-port")
        if not is_free(program.port):
            raise CommandError(
                f"port {program.port} for {program.name} is in use: "
                "stop the process that listens there, or choose another --base-port"
            )


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("w")
    except OSError as error:
        raise CommandError(f"{data_dir} cannot be used: {error.strerror}; choose another --data-dir") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"a system is already running in {data_dir}: stop it, or choose another --data-dir"
            ) from None
        yield


def _databases(plan: Plan, stack: ExitStack, say: Say) -> tuple[dict[str, str], list[EmbeddedMongo | EmbeddedRedis]]:
    try:
        given = set() if plan.own_databases else load(StoreSettings).model_fields_set
    except StartupError as error:
        raise CommandError(str(error)) from None
    environment = (
        os.environ
        | dict(plan.settings)
        | {
            "LEADSCORE_SCORING_TARGET": plan.connection.target("scoring"),
            "LEADSCORE_INTELLIGENCE_TARGET": plan.connection.target("intelligence"),
        }
    )
    embedded: list[EmbeddedMongo | EmbeddedRedis] = []
    if "mongo_uri" not in given:
        say("starting mongod")
        mongo = stack.enter_context(EmbeddedMongo(plan.data_dir / "mongo"))
        environment["LEADSCORE_MONGO_URI"] = mongo.uri
        embedded.append(mongo)
    if "redis_url" not in given:
        say("starting redis-server")
        redis = stack.enter_context(EmbeddedRedis(plan.data_dir / "redis"))
        environment["LEADSCORE_REDIS_URL"] = redis.url
        embedded.append(redis)
    return environment, embedded


def _migrate(service: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", f"{service}_service", "migrate"]
    # In a session of its own, like every process started here, so that Ctrl-C signals only this process.
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, start_new_session=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise CommandError(lines[-1] if lines else f"the migration of the {service} service failed")


@contextmanager
def _supervised(plan: Plan, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    config = plan.data_dir / "supervisord.conf"
    with config.open("w") as file:
        _configuration(plan).write(file)
    command = [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(config)]
    # In a session of its own, so that this process decides in which order processes stop.
    supervisor = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield supervisor
    finally:
        supervisor.terminate()
        supervisor.wait()


def _configuration(plan: Plan) -> configparser.RawConfigParser:
    configuration = configparser.RawConfigParser()
    configuration["supervisord"] = {
        "logfile": str(plan.data_dir / "supervisord.log"),
        "pidfile": str(plan.data_dir / "supervisord.pid"),
        "childlogdir": str(plan.data_dir),
    } | ({"user": "root"} if os.geteuid() == 0 else {})
    logs = plan.data_dir / "logs"
    logs.mkdir(exist_ok=True)
    for program in plan.programs():
        configuration[f"program:{program.name}"] = {
            "command": f'"{sys.executable}" -m {program.module} {program.command}',
            "environment": program.environment,
            "autorestart": "true",
            "startretries": "1000000",
            "stopwaitsecs": str(STOP_SECONDS),
            "redirect_stderr": "true",
            "stdout_logfile": str(logs / f"{program.name}.log"),
        }
    return configuration


def _wait_until_serving(plan: Plan, supervisor: "subprocess.Popen[bytes]") -> None:
    ends = time.monotonic() + READY_SECONDS
    for program in plan.programs():
        while not program.is_serving():
            if time.monotonic() > ends or supervisor.poll() is not None:
                raise CommandError(f"{program.name} did not start; {_last_line(plan, program)}")
            time.sleep(0.05)


def _last_line(plan: Plan, program: Program) -> str:
    log = plan.data_dir / "logs" / f"{program.name}.log"
    lines = log.read_text().strip().splitlines() if log.exists() else []
    return f"the last line of its log is: {lines[-1]}" if lines else f"see {plan.data_dir}"
