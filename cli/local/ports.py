"""Tells whether a server can listen on a port of this machine, and if not, why."""

import errno
import socket
from collections.abc import Iterable

from cli.local.plan import Program
from cli.terminal.connection import CommandError

MAX_PORT = 65_535
CONNECT_SECONDS = 1.0


def require_free_ports(programs: Iterable[Program]) -> None:
    """Checks that every program can listen on its ports.

    Raises:
        CommandError: One cannot; the text says why and what to do.
    """
    taken: dict[int, str] = {}
    for program in programs:
        uses = {program.port: program.name} | dict.fromkeys(program.metrics_ports, f"metrics of {program.name}")
        for port, use in uses.items():
            if other := taken.get(port):
                raise CommandError(f"port {port} cannot be for both {other} and {use}")
            taken[port] = use
            if reason := obstacle(port):
                raise CommandError(f"port {port} for {use} {reason}")


def obstacle(port: int) -> str:
    """Returns why no server can listen on a port of 127.0.0.1, and what to do about it; empty if one can."""
    if port > MAX_PORT:
        return "does not exist: choose a lower --base-port"
    try:
        with socket.socket() as probe:
            # The servers set it, too: connections that a previous server has closed do not block its port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return f"cannot be used: {error.strerror}; choose another --base-port"
        if _is_listening(port):
            return "is in use: stop the process that listens there, or choose another --base-port"
        return (
            "is used by an outgoing connection, or was within the last minute: "
            "try again in a minute, or choose a --base-port below the ports of outgoing connections, such as 20000"
        )
    return ""


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS).close()
    except ConnectionRefusedError:
        return False
    except OSError:  # a process listens, but does not answer in time
        return True
    return True
