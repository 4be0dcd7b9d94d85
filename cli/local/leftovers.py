"""Finds and stops what a run of `leadscore up` has left running, for example because it was killed."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

from cli.local import run_record, tied
from cli.terminal.connection import CommandError
from cli.terminal.counts import counted

STOP_SECONDS = 40.0
"""Time for processes to end after SIGTERM: longer than supervisor waits for the services."""
KILL_SECONDS = 10.0
POLL_SECONDS = 0.05
DATABASES = ("mongod", "redis-server", "valkey-server")


def stop_leftovers(run_id: str, say: Callable[[str], None]) -> int:
    """Stops every process of a run and says which; returns their number.

    Supervisor comes first, because it would restart the services, and the databases come last.

    Raises:
        CommandError: A process does not end.
    """
    found = processes_of(run_id)
    if found:
        names = ", ".join(f"{_name(process)} ({process.pid})" for process in found)
        say(f"stopping {counted(len(found), 'process', 'processes')} left from an earlier run: {names}")
    for stage in (_is_supervisor, _is_service, _is_database):
        _stop([process for process in processes_of(run_id) if stage(process)])
    return len(found)


def processes_of(run_id: str) -> list[psutil.Process]:
    """Returns the processes of a run, without those that only watch others and end by themselves."""
    return [process for process in psutil.process_iter() if _is_of(process, run_id)]


def _is_of(process: psutil.Process, run_id: str) -> bool:
    try:
        return process.environ().get(run_record.VARIABLE) == run_id and tied.__file__ not in process.cmdline()
    except (psutil.Error, OSError):
        return False  # it has ended, or belongs to another user


def _stop(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            process.terminate()
    alive = _alive_after(STOP_SECONDS, processes)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    alive = _alive_after(KILL_SECONDS, alive)
    if alive:
        raise CommandError(f"process {alive[0].pid} does not end, not even when it is killed: restart the machine")


def _alive_after(seconds: float, processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Waits until all processes have ended, and returns those that have not after some time."""
    ends = time.monotonic() + seconds
    while (alive := [*filter(is_alive, processes)]) and time.monotonic() < ends:
        time.sleep(POLL_SECONDS)
    return alive


def is_alive(process: psutil.Process) -> bool:
    """Returns whether a process runs. One that has ended stays known until its parent has asked for its status."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _name(process: psutil.Process) -> str:
    """Returns the module of a Python process, or else the name of the program."""
    try:
        command = process.cmdline()
        return str(command[command.index("-m") + 1] if "-m" in command else process.name())
    except psutil.Error:
        return "ended"


def _is_supervisor(process: psutil.Process) -> bool:
    return _name(process) == "supervisor.supervisord"


def _is_database(process: psutil.Process) -> bool:
    return _name(process) in DATABASES


def _is_service(process: psutil.Process) -> bool:
    return not _is_supervisor(process) and not _is_database(process)
