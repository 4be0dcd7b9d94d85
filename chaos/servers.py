"""The databases of a world: one mongod behind a proxy or a replica set of three, and Redis behind a proxy."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from chaos.proxy import Proxy
from cli.local.embedded import EmbeddedMongo, EmbeddedRedis, free_port
from cli.local.mongo_setup import create_user, user_uri
from shared.mongo import Document
from shared.private_files import new_secret, write_private

APPLICATION = "leadscore"
"""The application name of the services' connections; fail points affect only these, not those of the harness."""
ORPHAN_SECONDS = 5
"""How long mongod keeps the transaction of a killed process, in seconds; short, so that rounds are short."""
CACHE_GIGABYTES = "0.25"
ELECTION_MILLISECONDS = 2_000
HEARTBEAT_MILLISECONDS = 500
T = TypeVar("T")
_FAIL_POINT: dict[str, Any] = {"configureFailPoint": "failCommand"}


class Member(EmbeddedMongo):
    """A mongod with fail points: a member of a replica set of one or three."""

    def _arguments(self) -> list[str]:
        arguments = super()._arguments()
        arguments[arguments.index("--wiredTigerCacheSizeGB") + 1] = CACHE_GIGABYTES
        return [*arguments, "--setParameter", "enableTestCommands=1"]

    def command(self, command: Mapping[str, Any]) -> Document:
        """Runs a command in the database `admin` on this member, primary or not."""
        with MongoClient[Document](self.member_uri, serverSelectionTimeoutMS=30_000) as client:
            return dict(client.admin.command(dict(command)))

    def _set_up(self) -> None:
        """Sets the run-time parameters, which a restart loses; `Mongo` does the rest for all members."""
        self.command({"setParameter": 1, "transactionLifetimeLimitSeconds": ORPHAN_SECONDS})

    @contextlib.contextmanager
    def lagging(self) -> Iterator[None]:
        """Stops replication to this member while the block runs."""
        point = {"configureFailPoint": "stopReplProducer"}
        self.command(point | {"mode": "alwaysOn"})
        try:
            yield
        finally:
            self.command(point | {"mode": "off"})

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process."""
        os.kill(self.pid, number)


class Mongo:
    """The members and their addresses: `uri` for the harness, `product_uri` for the services."""

    def __init__(self, directory: Path, count: int) -> None:
        self.members = [Member(directory / f"mongo-{number}") for number in range(count)]
        self._password = new_secret()
        for member in self.members:
            member.key_file = self.members[0].key_file
            write_private(member.data_dir / "password", self._password)
        self.proxy = Proxy(self.members[0].port)

    @property
    def uri(self) -> str:
        """The URI for the harness, which bypasses the proxy."""
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        return user_uri(hosts, self._password, "replicaSet=rs0")

    @property
    def product_uri(self) -> str:
        """The URI for the services: through the proxy for one member, direct for three."""
        if len(self.members) > 1:
            return self.uri
        return user_uri(f"127.0.0.1:{self.proxy.port}", self._password, "directConnection=true")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Runs the members and the proxy while the block runs."""
        with contextlib.ExitStack() as stack:
            for member in self.members:
                stack.callback(self._end, member)
                member.start()
            self._initiate()
            stack.enter_context(self.proxy)
            yield

    def primary(self) -> Member:
        """Waits for a primary and returns it."""
        return _eventually(self._find_primary)

    def primary_and_secondaries(self) -> tuple[Member, list[Member]]:
        """Returns the primary and the other members."""
        primary = self.primary()
        return primary, [member for member in self.members if member is not primary]

    def term(self) -> int:
        """Returns the election term, which grows with each election."""
        return int(self.primary().command({"replSetGetStatus": 1})["term"])

    def failures(self) -> int:
        """Returns how many commands `failing` has made fail on all members since their start."""
        return sum(int(member.command(_FAIL_POINT | {"mode": "off"})["count"]) for member in self.members)

    @contextlib.contextmanager
    def failing(self, commands: list[str], mode: Any, **data: Any) -> Iterator[None]:
        """Makes commands of the services fail on every member while the block runs; see MongoDB's `failCommand`."""
        on = {"mode": mode, "data": {"failCommands": commands, "appName": APPLICATION, **data}}
        for member in self.members:
            member.command(_FAIL_POINT | on)
        try:
            yield
        finally:
            for member in self.members:
                member.command(_FAIL_POINT | {"mode": "off"})

    def _initiate(self) -> None:
        hosts = [{"_id": number, "host": f"127.0.0.1:{each.port}"} for number, each in enumerate(self.members)]
        spans = {"electionTimeoutMillis": ELECTION_MILLISECONDS, "heartbeatIntervalMillis": HEARTBEAT_MILLISECONDS}
        with contextlib.suppress(OperationFailure):  # already initiated
            self.members[0].command({"replSetInitiate": {"_id": "rs0", "members": hosts, "settings": spans}})
        create_user(self.primary().member_uri, self._password)

    def _find_primary(self) -> Member | None:
        for member in self.members:
            with contextlib.suppress(PyMongoError):
                if member.is_running() and member.command({"hello": 1})["isWritablePrimary"]:
                    return member
        return None

    def _end(self, member: Member) -> None:
        if member.is_running():
            member.signal(signal.SIGCONT)
        member.kill()


class Redis(EmbeddedRedis):
    """A redis-server behind a proxy: `url` for the harness, `product_url` for the services."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, free_port())
        self.proxy = Proxy(self.port)

    @property
    def product_url(self) -> str:
        """The URL for the services, through the proxy."""
        return self.url.replace(f":{self.port}/", f":{self.proxy.port}/")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Runs the server and the proxy while the block runs."""
        with self, self.proxy:
            try:
                yield
            finally:
                if self.is_running():
                    self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process."""
        os.kill(self.pid, number)


def _eventually(find: Callable[[], T | None]) -> T:
    ends = time.monotonic() + 30
    while (found := find()) is None:
        assert time.monotonic() < ends, "expected a primary within 30 s"
        time.sleep(0.1)
    return found
