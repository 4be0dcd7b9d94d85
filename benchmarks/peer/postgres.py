"""A PostgreSQL server of a benchmark's own, with the settings that it has by default."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.options import Options
from cli.local.embedded import free_port

USER = "postgres"
"""The user of the database, and of its processes if this process is root, because PostgreSQL does not run as root."""


@contextmanager
def postgres(options: Options) -> Iterator[Mapping[str, str]]:
    """Runs a server while the block runs; yields the environment in which `eventsourcing` finds it.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    programs, port = _programs(), free_port()
    with tempfile.TemporaryDirectory(prefix="leadscore-bench-", dir=options.directory) as directory:
        if os.geteuid() == 0:
            shutil.chown(directory, USER)
        data, socket = f"{directory}/data", f"-k {directory} -h 127.0.0.1 -p {port}"
        _run(programs / "initdb", "-D", data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C")
        _run(programs / "pg_ctl", "-D", data, "-l", f"{directory}/log", "-o", socket, "-w", "start")
        try:
            yield {
                "PERSISTENCE_MODULE": "eventsourcing.postgres",
                "POSTGRES_DBNAME": "postgres",
                "POSTGRES_HOST": "127.0.0.1",
                "POSTGRES_PORT": str(port),
                "POSTGRES_USER": USER,
                "POSTGRES_PASSWORD": "",
            }
        finally:
            _run(programs / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")


def _programs() -> Path:
    found = shutil.which("initdb")
    candidates = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not candidates:
        raise FileNotFoundError("PostgreSQL is not installed: install it, for example the Debian package postgresql")
    return candidates[-1]


def _run(*command: str | Path) -> None:
    user = USER if os.geteuid() == 0 else None
    # The server inherits the output, and would keep a pipe open.
    subprocess.run(command, user=user, check=True, stdout=subprocess.DEVNULL, cwd="/")
