"""Zombies: a worker that lives on although nothing in it drains any more, from the moment at which a file appears.

The first process that comes to drain then enters its id in the file and is the zombie; the one that takes its place is
not. The file says how it goes wrong, and which inbox it drains. Only workers that are started armed know of it.
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
    HANGS: "its drains wait for ever",
    BLOCKS: "its event loop stands still",
    DIES: "its lanes end by an error that nobody catches",
}
FOR_EVER = 3_600.0


class LaneDied(BaseException):
    """What no `except Exception` keeps from ending a lane."""


def arm(environment: Mapping[str, str]) -> None:
    """Lets this process become a zombie by the file that the environment names, if it names one."""
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
    """Returns the id of the process that has become a zombie, None while there is none."""
    words = file.read_text().split()
    return int(words[2]) if len(words) > 2 else None


def plant(file: Path, how: str, inbox: str) -> None:
    """Lets the next process that comes to drain an inbox become a zombie."""
    _write(file, how, inbox)


def _how(file: Path, inbox: str) -> str:
    """Returns how this process goes wrong, which it does if nobody was before it; empty if it does not."""
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
        # Whatever bounds the wait of a drain from outside is swallowed, as the driver may swallow it.
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.sleep(FOR_EVER)


def _patch(kind: type, name: str, function: Callable[..., Any]) -> None:
    setattr(kind, name, function)
