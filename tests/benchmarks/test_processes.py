"""How `make bench` tells the processes of the system apart."""

import pytest

from benchmarks.harness.processes import CpuTime, kind_of
from cli.local import tied


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["python", "-m", "scoring_service", "work"], "scoring worker"),
        (["python", "-m", "ingest_service", "serve"], "ingest server"),
        (["/somewhere/bin/mongod", "--dbpath", "x"], "mongod"),
        (["redis-server 127.0.0.1:6379"], "redis-server"),
        (["valkey-server unixsocket:/somewhere/redis.sock"], "redis-server"),
        (tied.command_for("python", "-m", "supervisor.supervisord"), ""),
        (["python", "-m", "supervisor.supervisord", "--nodaemon"], "supervisor"),
        (["python", "-c", "from multiprocessing.spawn import spawn_main"], ""),
        ([], ""),
    ],
)
def test_the_kind_of_a_process_is_read_from_its_command(command: list[str], kind: str) -> None:
    assert kind_of(command) == kind


def test_cores_are_cpu_seconds_per_second() -> None:
    earlier = CpuTime(10.0, {"mongod": 1.0})
    assert CpuTime(14.0, {"mongod": 3.0, "new": 1.0}).cores_since(earlier) == {"mongod": 0.5, "new": 0.25}
