"""A clock that can be set: services that are started armed add what a file says to the time of the machine."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from shared import wire

FILE = "CLOCK_FILE"


def set_clock(file: Path, ahead: timedelta) -> None:
    """Sets the clock of all processes that have this file: so far ahead of the machine's, or behind it."""
    prepared = file.with_suffix(".next")
    prepared.write_text(str(ahead.total_seconds()))
    prepared.replace(file)


def arm(environment: Mapping[str, str]) -> None:
    """Lets this process take its time from the file that the environment names, if it names one."""
    if FILE not in environment:
        return
    file = Path(environment[FILE])
    machine = wire.now

    wire.now = lambda: machine() + timedelta(seconds=_seconds(file))


def _seconds(file: Path) -> float:
    try:
        return float(file.read_text())
    except FileNotFoundError:
        return 0.0


def environment(file: Path) -> dict[str, str]:
    """Returns what a process must be given to take its time from a file."""
    return {FILE: os.fspath(file)}
