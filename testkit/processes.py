"""Starts the processes of a system by forking a server that has imported the services, which saves most of a start.

Each is a real process, in a session of its own, that runs what `python -m` would run. Only `leadscore up` and its tests
start services as a user does.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path

_SERVICES = ("ingest", "scoring", "automation", "intelligence", "admin")
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    # multiprocessing imports the main module of the tests into each process if the server has not.
    ["__main__", *(f"{service}_service.app" for service in _SERVICES)]
)

_POLLING = threading.Lock()
"""Held while exit statuses are read: each can be read once, and starting a process polls all others."""


class Process:
    """A running process, with the methods of `subprocess.Popen` that a system needs."""

    def __init__(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Starts `python -m module` with arguments, and appends its output to a log."""
        begun, begin = _CONTEXT.Pipe(duplex=False)
        work = (begin, module, arguments, dict(environment), os.fspath(log))
        self._process = _CONTEXT.Process(target=_run, args=work, daemon=True)  # a daemon does not outlive the tests
        with _POLLING:
            self._process.start()
        begin.close()
        with begun:
            begun.poll(None)  # until it has its log, and a session of its own to which signals are sent

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Returns the exit status, negative for a signal, or None while the process runs."""
        with _POLLING:
            return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """Waits for the end and returns the exit status.

        Raises:
            subprocess.TimeoutExpired: The process still runs after `seconds`.
        """
        wait_for_any([self._process.sentinel], seconds)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self._process.name, seconds or 0.0)
        return status

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self._process.terminate()


def _run(begin: Connection, module: str, arguments: Sequence[str], environment: dict[str, str], log: str) -> None:
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for number in (1, 2):
        os.dup2(output, number)
    begin.close()
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
