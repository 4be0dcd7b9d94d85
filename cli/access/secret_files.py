"""Files that hold secrets: only their owner can read them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cli.terminal.connection import CommandError

OWNER_ONLY = 0o600


@contextmanager
def secret_file(file: str) -> Iterator[TextIO]:
    """Opens a new file to write a secret into. It takes its name, and the place of an older one, when the block ends.

    If the block fails, nothing changes.

    Raises:
        CommandError: The file cannot be written; this shows before the block begins, unless the disk is full.
    """
    part = Path(f"{file}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        try:
            with open(descriptor, "w") as stream:  # noqa: PTH123 (a descriptor has no path)
                yield stream
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from None
