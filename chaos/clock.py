"""A clock that can be set: armed services add an offset, which they read from a file, to the machine's time."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from shared import wire

FILE = "CLOCK_FILE"


def set_clock(file: Path, ahead: timedelta) -> None:
    """Sets the clock of all processes that use this file: `ahead` of the machine's clock, or behind it if negative."""
    prepared = file.with_suffix(".next")
    prepared.write_text(str(ahead.total_seconds()))
    prepared.replace(file)


def arm(environment: Mapping[str, str]) -> None:
    """Makes this process use the clock file that the environment names, if any."""
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
    """Returns the environment variable that makes a process use a clock file."""
    return {FILE: os.fspath(file)}
