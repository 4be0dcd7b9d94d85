"""Another user of the machine can neither use the embedded servers nor read what they store."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pymongo
import pytest
import redis
from pymongo.errors import OperationFailure

from cli.local.embedded import EmbeddedMongo, EmbeddedRedis, free_port
from shared import replica_sets
from shared.mongo import Document
from tests.bare_mongo import BareMongo
from tests.cli.intruder import attempts, nobody, only_as_root, open_to_others


@dataclass(frozen=True)
class Servers:
    """Running servers in a directory that every user may list."""

    directory: Path
    mongo: EmbeddedMongo
    redis: EmbeddedRedis
    redis_at_port: EmbeddedRedis

    def secrets(self) -> list[str]:
        """Returns the key of mongod and the passwords of all."""
        return [path.read_text() for path in self.directory.glob("*/*") if path.name in ("key", "password")]

    def attempts_of(self, uid: int) -> set[str]:
        """Returns what a process of a user could do without a password."""
        assert self.redis.socket
        return attempts(uid, self.directory, self.mongo.port, self.redis.socket, self.redis_at_port.port)


def stranger(server: EmbeddedMongo) -> pymongo.MongoClient[Document]:
    """Returns a client without a password."""
    return pymongo.MongoClient(port=server.port, directConnection=True)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        directory.chmod(0o755)
        yield Servers(
            directory,
            stack.enter_context(EmbeddedMongo(directory / "mongo")),
            stack.enter_context(EmbeddedRedis(directory / "redis")),
            stack.enter_context(EmbeddedRedis(directory / "redis-at-port", free_port())),
        )


def test_a_process_of_the_owner_needs_the_password(servers: Servers) -> None:
    assert servers.attempts_of(os.getuid()) == {"list", "read"}


@only_as_root
def test_another_user_can_do_nothing(servers: Servers) -> None:
    assert servers.attempts_of(nobody()) == set()


def test_every_file_is_private(servers: Servers) -> None:
    assert [path for path in open_to_others(servers.directory) if path != servers.directory] == []


def test_passwords_are_neither_on_command_lines_nor_in_logs(servers: Servers) -> None:
    pids = [servers.mongo.pid, servers.redis.pid, servers.redis_at_port.pid]
    seen = [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]
    seen += [path.read_text() for path in servers.directory.glob("*/*.log")]
    secrets = servers.secrets()
    assert len(secrets) == 4, "expected the key, and three passwords"
    assert not [secret for secret in secrets if any(secret in text for text in seen)]


def test_redis_listens_at_a_socket_unless_its_path_is_too_long(servers: Servers, tmp_path: Path) -> None:
    assert servers.redis.url.startswith("unix://")
    assert servers.redis.port == 0
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    with EmbeddedRedis(deep) as server, redis.Redis.from_url(server.url) as client:
        assert server.socket is None
        assert client.ping()


@pytest.mark.parametrize("name", ['a "quoted" name', "ä space"])
def test_any_name_of_the_directory_will_do(tmp_path: Path, name: str) -> None:
    with EmbeddedRedis(tmp_path / name) as server, redis.Redis.from_url(server.url) as client:
        assert server.socket
        assert client.ping()


def test_nobody_else_can_create_the_first_user(tmp_path: Path) -> None:
    class NotSetUp(EmbeddedMongo):
        def _set_up(self) -> None:
            pass

    with NotSetUp(tmp_path) as server, stranger(server) as eve:
        commands: list[Document] = [{"replSetInitiate": {}}, {"createUser": "eve", "pwd": "eve", "roles": ["root"]}]
        for command in commands:
            with pytest.raises(OperationFailure, match="requires authentication"):
                eve.admin.command(command)


def test_data_of_an_earlier_version_gets_a_password(tmp_path: Path) -> None:
    directory = tmp_path / "mongo"
    directory.mkdir(mode=0o755)
    with BareMongo(directory) as before, stranger(before) as client:
        replica_sets.initiate(before.uri)
        client.leadscore.rows.insert_one({"_id": 1})
    directory.chmod(0o755)
    for _ in range(2):
        with EmbeddedMongo(directory) as server, pymongo.MongoClient[Document](server.uri) as client:
            assert client.leadscore.rows.find_one() == {"_id": 1}
            with stranger(server) as eve, pytest.raises(OperationFailure, match="requires authentication"):
                eve.leadscore.rows.find_one()
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_lost_password_is_replaced_by_a_new_one(tmp_path: Path) -> None:
    for _ in range(2):
        with EmbeddedMongo(tmp_path) as server, pymongo.MongoClient[Document](server.uri) as client:
            assert client.leadscore.rows.count_documents({}) == 0
        (tmp_path / "password").unlink()
