"""The files that commands get as arguments: reading and writing them, and reporting mistakes in them."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TextIO

from cli.terminal.connection import CommandError
from shared.message_files.messages import Flaw
from shared.private_files import private_file

MAX_FLAWS = 20
"""Maximum number of mistakes in a file that are printed."""


def read_file(file: str, max_bytes: int) -> bytes:
    """Returns the content of a file, or of standard input for `-`, cut after `max_bytes` + 1 bytes.

    Raises:
        CommandError: The file cannot be read.
    """
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            return stream.read(max_bytes + 1)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None


def require_directory(file: Path) -> None:
    """Finds out that a file cannot be written before the work for it begins.

    Raises:
        CommandError: There is no directory for it.
    """
    if not file.absolute().parent.is_dir():
        raise CommandError(f"{file} cannot be written: there is no directory {file.absolute().parent}")


@contextmanager
def secret_file(file: str) -> Iterator[TextIO]:
    """Opens a new file to write a secret into, which only its owner can read; see `private_file`.

    Raises:
        CommandError: The file cannot be written; this shows before the block begins, unless the disk is full.
    """
    try:
        with private_file(Path(file)) as stream:
            yield stream
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from None


def flaw_lines(flaws: Iterable[Flaw]) -> Iterator[str]:
    """Yields one line for each of the first `MAX_FLAWS` mistakes, then the number of the others."""
    rest = iter(flaws)
    yield from map(str, islice(rest, MAX_FLAWS))
    if left := sum(1 for _ in rest):
        yield f"and {left:,} more"
