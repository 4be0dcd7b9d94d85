"""Whether a server can listen on a port, and the reasons why it cannot."""

import socket

import pytest

from cli.local.embedded import free_port
from cli.local.plan import Program
from cli.local.ports import obstacle, require_free_ports
from cli.terminal.connection import CommandError

HELD = (
    "is used by an outgoing connection, or was within the last minute: "
    "try again in a minute, or choose a --base-port below the ports of outgoing connections, such as 20000"
)


def listener() -> socket.socket:
    """Listens as the servers do."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(("127.0.0.1", 0))
    opened.listen()
    return opened


def test_a_process_that_listens_must_be_stopped() -> None:
    with listener() as server:
        reason = obstacle(server.getsockname()[1])
    assert reason == "is in use: stop the process that listens there, or choose another --base-port"


def test_connections_that_a_stopped_server_has_closed_do_not_block_its_port() -> None:
    with listener() as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server.accept()[0].close()  # closed first by the server, whose side stays in TIME_WAIT
            assert client.recv(1) == b""
    assert obstacle(port) == ""


def test_the_port_of_an_outgoing_connection_is_not_blamed_on_a_process_that_listens() -> None:
    with listener() as server:
        with socket.create_connection(server.getsockname()) as client, server.accept()[0] as accepted:
            port = client.getsockname()[1]
            assert obstacle(port) == HELD
            client.close()
            assert accepted.recv(1) == b""
        assert obstacle(port) == HELD, "expected the closed connection to hold the port for a minute"


def test_a_port_that_this_user_may_not_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", bind)
    assert obstacle(80) == "cannot be used: Permission denied; choose another --base-port"


def test_the_error_names_the_port_and_the_program() -> None:
    program = Program("scoring-worker-0", "scoring_service", "work", 65_540)
    with pytest.raises(CommandError, match=r"^port 65540 for scoring-worker-0 does not exist: choose a lower"):
        require_free_ports([program])


def test_two_programs_need_two_ports() -> None:
    port = free_port()
    programs = [Program(name, "module", "serve", port) for name in ("ingest-0", "http")]
    with pytest.raises(CommandError, match=r"cannot be for both ingest-0 and http$"):
        require_free_ports(programs)
