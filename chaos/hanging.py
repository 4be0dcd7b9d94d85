"""Zombies: a worker that keeps running but stops draining, from the moment at which a file appears.

The file names the inbox and the way to hang. The first process that drains this inbox writes its process id into the
file and becomes the zombie; the process that replaces it does not. Only armed workers are affected.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Never

from shared.inbox.doorbell import Doorbell

FILE = "HANG_FILE"
HANGS, BLOCKS, DIES = "hangs", "blocks", "dies"
WAYS = {
    HANGS: "its drains wait forever",
    BLOCKS: "its event loop stands still",
    DIES: "its lanes end by an error that nobody catches",
}
FOR_EVER = 3_600.0


class LaneDied(BaseException):
    """Ends a lane, because no `except Exception` catches it."""


def arm(environment: Mapping[str, str]) -> None:
    """Lets the file that the environment names, if any, turn this process into a zombie."""
    if FILE not in environment:
        return
    file, lease = Path(environment[FILE]), Doorbell.lease

    @contextlib.asynccontextmanager
    async def lease_or_hang(doorbell: Doorbell, *arguments: Any) -> AsyncIterator[Any]:
        how = _how(file, doorbell._inbox)
        if how:
            await _go_wrong(how)
        async with lease(doorbell, *arguments) as leased:
            yield leased

    _patch(Doorbell, "lease", lease_or_hang)


def zombie(file: Path) -> int | None:
    """Returns the id of the process that has become a zombie, or None if there is none yet."""
    words = file.read_text().split()
    return int(words[2]) if len(words) > 2 else None


def plant(file: Path, how: str, inbox: str) -> None:
    """Makes the next process that drains an inbox a zombie."""
    _write(file, how, inbox)


def _how(file: Path, inbox: str) -> str:
    """Returns how this process hangs, if no other process became the zombie before it; empty if it does not hang."""
    try:
        how, of, *pids = file.read_text().split()
    except FileNotFoundError:
        return ""
    if of != inbox:
        return ""
    own = str(os.getpid())
    if not pids:
        _write(file, how, inbox, own)
    return how if pids in ([], [own]) else ""


def _write(file: Path, *words: str) -> None:
    prepared = file.with_suffix(".next")
    prepared.write_text(" ".join(words))
    prepared.replace(file)


async def _go_wrong(how: str) -> Never:
    if how == DIES:
        raise LaneDied
    if how == BLOCKS:
        time.sleep(FOR_EVER)  # noqa: ASYNC251 (that is the fault)
    while True:
        # Swallows cancellations and timeouts from outside, as the driver can.
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.sleep(FOR_EVER)


def _patch(kind: type, name: str, function: Callable[..., Any]) -> None:
    setattr(kind, name, function)
