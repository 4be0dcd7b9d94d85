"""The logs of `leadscore up`: how large they may become, and what they say."""

from itertools import pairwise
from pathlib import Path

MAX_BYTES = 10_000_000
"""Size at which a log is kept under another name, and a new one begins."""
BACKUPS = 3
"""Earlier logs of a process that are kept: `.1` is the newest of them."""


def rotate(log: Path) -> bool:
    """Renames a log that has reached `MAX_BYTES`, and the earlier ones; returns whether it did.

    A process that has the log open must open it again.
    """
    if not log.exists() or log.stat().st_size < MAX_BYTES:
        return False
    names = [log, *(log.with_name(f"{log.name}.{number}") for number in range(1, BACKUPS + 1))]
    for newer, older in reversed(list(pairwise(names))):
        if newer.exists():
            newer.replace(older)
    return True


def last_line(log: Path) -> str:
    """Returns the last line of a log; empty if there is none."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else ""
