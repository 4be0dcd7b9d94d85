"""Files that hold secrets: only their owner can read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cli.terminal.connection import CommandError
from shared.private_files import private_file


@contextmanager
def secret_file(file: str) -> Iterator[TextIO]:
    """Opens a new file to write a secret into; see `private_file`.

    Raises:
        CommandError: The file cannot be written; this shows before the block begins, unless the disk is full.
    """
    try:
        with private_file(Path(file)) as stream:
            yield stream
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from None
