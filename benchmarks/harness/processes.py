"""The processes of the system under test, and their CPU time."""

import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import psutil

from cli.local import tied

SERVICES = ("ingest", "scoring", "automation", "intelligence", "admin")
DATABASES = {"mongod": "mongod", "redis-server": "redis-server", "valkey-server": "redis-server"}
"""The kinds of the databases, by the names of their programs."""
_ROLES = {"serve": "server", "work": "worker", "assist": "helper"}


@dataclass(frozen=True, slots=True)
class CpuTime:
    """The CPU seconds of every kind of process at one point in time."""

    clock: float
    seconds: Mapping[str, float]

    def cores_since(self, earlier: "CpuTime") -> dict[str, float]:
        """Returns the cores that each kind of process has used since an earlier point in time."""
        passed = self.clock - earlier.clock
        return {kind: (used - earlier.seconds.get(kind, 0.0)) / passed for kind, used in self.seconds.items()}


def kind_of(command: list[str]) -> str:
    """Returns the kind of a process, such as `scoring worker`; empty if it is not a part of the system."""
    if tied.__file__ in command:
        return ""  # it only watches
    for program, kind in DATABASES.items():
        if command and command[0].partition(" ")[0].rsplit("/", 1)[-1] == program:
            return kind
    for module, argument in pairwise(command):
        service = module.removesuffix("_service")
        if service in SERVICES and argument in _ROLES:
            return f"{service} {_ROLES[argument]}"
    return "supervisor" if "supervisor.supervisord" in command else ""


def processes() -> dict[str, list[psutil.Process]]:
    """Returns the running processes of the system under test by kind; all of them descend from this process."""
    found = defaultdict(list)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            kind = kind_of(process.cmdline())
            if kind:
                found[kind].append(process)
    return found


def cpu_time() -> CpuTime:
    """Returns the CPU time, user and system, of every kind of process up to now."""
    used: dict[str, float] = defaultdict(float)
    for kind, running in processes().items():
        for process in running:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used[kind] += times.user + times.system
    return CpuTime(time.monotonic(), used)
