"""`leadscore down`: stops what runs in a data directory."""

from collections.abc import Callable
from pathlib import Path

import psutil

from cli.local import run_record
from cli.local.leftovers import stop_leftovers
from cli.terminal.connection import CommandError

STOP_SECONDS = 150.0
"""Time for `leadscore up` to end. If it has just started, it is ready first; then it waits for its services."""


def stop_system(data_dir: Path, say: Callable[[str], None]) -> None:
    """Stops the system that runs in a data directory, then what is left of it; says what it does.

    Raises:
        CommandError: It does not end.
    """
    record = run_record.read(data_dir)
    if record is None:
        say(f"nothing is running in {data_dir}")
        return
    up = record.up()
    if up is not None:
        say(f"stopping `leadscore up` (process {up.pid})")
        _stop(up)
    if stop_leftovers(record.run_id, say) or up is not None:
        say(f"stopped what ran in {data_dir}")
    else:
        say(f"nothing is running in {data_dir}: its last system was killed, and nothing of it is left")
    run_record.remove(data_dir)


def _stop(up: psutil.Process) -> None:
    up.terminate()
    try:
        up.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        raise CommandError(
            f"process {up.pid} does not end: look at what it prints, then kill it and run `leadscore down` again"
        ) from None
