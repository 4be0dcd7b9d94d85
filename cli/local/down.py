"""`leadscore down`: stops what runs in a data directory."""

import time
from collections.abc import Callable
from pathlib import Path

from cli.local import run_record
from cli.local.leftovers import POLL_SECONDS, stop_leftovers
from cli.local.run_record import RunRecord
from cli.terminal.connection import CommandError

STOP_SECONDS = 150.0
"""Time for `leadscore up` to end. If it has just started, it is ready first; then it waits for its services."""


def stop_system(data_dir: Path, say: Callable[[str], None]) -> bool:
    """Stops the system that runs in a data directory, then what is left of it; says what it does.

    Returns whether anything was running.

    Raises:
        CommandError: It does not end.
    """
    record = run_record.read(data_dir)
    if record is None:
        say(f"nothing is running in {data_dir}")
        return False
    up = record.up()
    if up is not None:
        say(f"stopping `leadscore up` (process {up.pid})")
        up.terminate()
        _wait_for_end(record)
    has_stopped = bool(stop_leftovers(record.run_id, say)) or up is not None
    if has_stopped:
        say(f"stopped what ran in {data_dir}")
    else:
        say(f"nothing is running in {data_dir}: its last system was killed, and nothing of it is left")
    run_record.remove(data_dir)
    return has_stopped


def _wait_for_end(record: RunRecord) -> None:
    ends = time.monotonic() + STOP_SECONDS
    while record.up() is not None:
        if time.monotonic() > ends:
            raise CommandError(
                f"process {record.pid} does not end: see what it prints, kill it, and run `leadscore down` again"
            )
        time.sleep(POLL_SECONDS)
