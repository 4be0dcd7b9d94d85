"""A system of its own, whose processes a benchmark can stop and start."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.options import Options
from testkit.system import System, running_system


@contextmanager
def temporary_system(options: Options) -> Iterator[System]:
    """Runs a new system in a temporary directory while the block runs."""
    with (
        tempfile.TemporaryDirectory(
            prefix="leadscore-bench-", dir=options.directory, ignore_cleanup_errors=True
        ) as directory,
        running_system(Path(directory)) as system,
    ):
        yield system
