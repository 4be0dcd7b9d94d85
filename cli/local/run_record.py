"""What a data directory says about the system that runs in it, so that other commands find its processes.

Guarantee: a process is taken for one of the system only if its environment has the random id of this run, or, for
`leadscore up` itself, if its id, its start and its command are those on record. So no other process is ever stopped.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.terminal.connection import CommandError
from shared.private_files import new_secret, write_private

if TYPE_CHECKING:
    import psutil

VARIABLE = "_LEADSCORE_RUN"
"""The environment variable with the id of the run, in every process that `up` starts."""
_FILE = "run.json"
_SAME_START_SECONDS = 2.0
"""The time of a start is computed from that of the boot, which moves a little when the clock is set."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run of `leadscore up`: its random id, its process, and what it runs.

    `start_time` is in seconds since 1970. `settings` are the LEADSCORE_* variables of the services, secrets included;
    they are empty until the databases run.
    """

    run_id: str
    pid: int
    start_time: float
    command: list[str]
    base_port: int
    http_port: int | None
    settings: Mapping[str, str]

    def write(self, data_dir: Path) -> None:
        """Writes the record into a data directory, in a file that only its owner may read."""
        write_private(data_dir / _FILE, json.dumps(asdict(self)))

    @contextmanager
    def marking(self) -> Iterator[None]:
        """Marks all processes that this one starts while the block runs as processes of the run."""
        before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = self.run_id
        try:
            yield
        finally:
            if before is None:
                del os.environ[VARIABLE]
            else:
                os.environ[VARIABLE] = before

    def up(self) -> "psutil.Process | None":
        """Returns the process of `leadscore up`, if it is still running."""
        import psutil  # the image of the services has none, but its doctor reads records

        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.start_time) < _SAME_START_SECONDS
            return process if is_same and process.cmdline() == self.command else None
        except psutil.Error:
            return None


def of_this_process(base_port: int, http_port: int | None, settings: Mapping[str, str]) -> RunRecord:
    """Returns a record of this process, with a new id."""
    import psutil

    this = psutil.Process()
    return RunRecord(new_secret(), os.getpid(), this.create_time(), this.cmdline(), base_port, http_port, settings)


def read(data_dir: Path) -> RunRecord | None:
    """Returns the record of the run in a data directory; None if there is none, or the last one has ended as it should.

    Raises:
        CommandError: The record cannot be read.
    """
    path = data_dir / _FILE
    try:
        return RunRecord(**json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from None


def remove(data_dir: Path) -> None:
    """Removes the record of a run that has ended."""
    (data_dir / _FILE).unlink(missing_ok=True)
