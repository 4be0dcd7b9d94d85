"""Embedded servers start, restart with their data, and leave no process running."""

from pathlib import Path
from socket import create_connection, create_server

import pymongo
import pytest
import redis

from cli.local import log_files
from cli.local.embedded import EmbeddedMongo, EmbeddedRedis, free_port
from cli.local.receiver import receiving
from cli.terminal.connection import CommandError
from shared import mongo

Embedded = EmbeddedMongo | EmbeddedRedis
KINDS = [EmbeddedMongo, EmbeddedRedis]


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def listens_on_127_0_0_1_only(port: int) -> bool:
    """Returns whether the listener is bound to 127.0.0.1 only: with every address, 127.0.0.2 would answer, too."""
    create_connection(("127.0.0.1", port), 1).close()
    try:
        create_connection(("127.0.0.2", port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_it_leaves_nothing_running(tmp_path: Path, kind: type[Embedded]) -> None:
    with kind(tmp_path) as server:
        pid = server.pid
        assert is_alive(pid)
    assert not is_alive(pid)


@pytest.mark.parametrize("kind", KINDS)
def test_it_leaves_nothing_running_after_an_interruption_of_its_start(
    tmp_path: Path, kind: type[Embedded], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, pids = kind(tmp_path), list[int]()

    def interrupt(_: object) -> None:
        pids.append(server.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "_wait_until_it_listens", interrupt)
    with pytest.raises(KeyboardInterrupt):
        server.start()
    assert not is_alive(*pids)


@pytest.mark.parametrize("kind", KINDS)
def test_it_leaves_nothing_running_after_an_error(tmp_path: Path, kind: type[Embedded]) -> None:
    server = kind(tmp_path)

    def fail() -> None:
        with server:
            pids.append(server.pid)
            raise ZeroDivisionError

    pids: list[int] = []
    with pytest.raises(ZeroDivisionError):
        fail()
    assert not is_alive(*pids)


def test_mongod_keeps_its_data_after_a_stop_and_a_crash(tmp_path: Path) -> None:
    for count in range(3):
        # A new object each time, as if `leadscore up` was run again in the same directory.
        with EmbeddedMongo(tmp_path) as server:
            with pymongo.MongoClient[mongo.Document](server.uri) as client:
                rows = client.get_default_database().rows
                assert rows.count_documents({}) == count
                rows.insert_one({})
            if count == 1:
                server.kill()


@pytest.mark.parametrize("kind", KINDS)
def test_its_log_is_rotated(tmp_path: Path, kind: type[Embedded], monkeypatch: pytest.MonkeyPatch) -> None:
    with kind(tmp_path) as server:
        server.keep_log_small()
        assert not server.log.with_name(f"{server.log.name}.1").exists(), "the log is still small"
        monkeypatch.setattr(log_files, "MAX_BYTES", 1)
        server.keep_log_small()
    assert server.log.read_text(), "expected the last lines in a new log"
    assert server.log.with_name(f"{server.log.name}.1").read_text(), "expected the first lines in the old one"


def test_redis_answers(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()


@pytest.mark.parametrize("kind", KINDS)
def test_it_listens_on_this_machine_only(tmp_path: Path, kind: type[Embedded]) -> None:
    with kind(tmp_path, free_port()) as server:
        assert listens_on_127_0_0_1_only(server.port)


def test_the_receiver_of_the_demo_listens_on_this_machine_only() -> None:
    with receiving("whsec_c2VjcmV0") as receiver:
        assert listens_on_127_0_0_1_only(int(receiver.url.split(":")[2].split("/")[0]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_in_use_fails_with_one_line(tmp_path: Path, kind: type[Embedded]) -> None:
    with create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"port {port} for .* is in use"):
            kind(tmp_path, port).start()


def test_a_socket_in_use_fails_with_one_line_and_one_of_a_killed_server_does_not(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        with pytest.raises(CommandError, match=r"/redis\.sock for redis-server in .* is in use"):
            EmbeddedRedis(tmp_path).start()
        server.kill()
        server.start()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inside", ["", ".inside"])
def test_a_missing_program_fails_with_one_line(
    tmp_path: Path, kind: type[Embedded], inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(kind, "package", f"leadscore_has_no_such_package{inside}")
    with pytest.raises(CommandError, match="is not on PATH: install it"):
        kind(tmp_path).start()
