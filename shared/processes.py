"""Several processes of one server that listen on one port.

Guarantee: the processes start and stop together, and share the port with nobody else. The process that starts them
first checks that no other process listens on the port. They stop when it ends, even if it is killed, so none is left
behind.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from typing import TypeVar

from shared import logs, watchdog
from shared.settings import ServerSettings, StartupError

S = TypeVar("S", bound=ServerSettings)
_LOG = logs.get(__name__)


def fork(settings: S) -> S:
    """Forks into `settings.processes` processes, and returns in each of them, with its own settings.

    The processes have the settings of the calling one, except that each has a metrics port of its own.

    Call it before anything is opened. If there is more than one, the calling process does not return: it waits for the
    others, passes SIGTERM and SIGINT on to them, stops them when one of them ends, and exits.

    Raises:
        StartupError: Another process listens on the port.
    """
    if settings.processes == 1:
        return settings
    _require_free_port(settings.host, settings.port)
    lifeline, alive = os.pipe()  # `alive` is open as long as the calling process lives
    children = []
    for number in range(settings.processes):
        child = os.fork()
        if child == 0:
            os.close(alive)
            stop_after(lifeline)
            return _settings_of(number, settings)
        children.append(child)
    sys.exit(_wait_for(children))


def _settings_of(number: int, settings: S) -> S:
    """Returns the settings of one of the processes."""
    if not settings.metrics_port:
        return settings
    return settings.model_copy(update={"metrics_port": settings.metrics_port + number})


def _require_free_port(host: str, port: int) -> None:
    """Checks that no process listens on the port, by listening without sharing it."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    try:
        socket.create_server(address, family=family).close()
    except OSError:
        raise StartupError(
            f"{host}:{port} is in use: stop the process that uses it, or choose another LEADSCORE_PORT"
        ) from None


def stop_after(lifeline: int) -> None:
    """Stops this process when the pipe at a descriptor closes, as it does when the process at its other end ends."""

    def wait() -> None:
        os.read(lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def _wait_for(children: list[int]) -> int:
    """Waits until all children have ended; returns 0 if none of them failed."""
    is_stopping, status = False, 0

    def stop(*_: object) -> None:
        nonlocal is_stopping
        if not is_stopping:  # a process that has almost ended would die of a second signal
            is_stopping = True
            _send_sigterm(children)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while children:
        child, how = os.wait()
        if child not in children:
            continue  # as the first process of a container, this one also gets those whose parents have died
        children.remove(child)
        code = os.waitstatus_to_exitcode(how)
        if code:
            _LOG.error("process ended", pid=child, status=code)
            status = code if code > 0 else watchdog.FAILED
        stop()
    return status


def _send_sigterm(children: Sequence[int]) -> None:
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
