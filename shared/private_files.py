"""Files and directories that only their owner may read.

Guarantee: no other user of the machine can read such a file at any moment, not even while it is written.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

UMASK = 0o077
"""For processes whose files only their owner may read."""


def make_private(directory: Path) -> None:
    """Creates a directory that only its owner may enter; an existing one becomes so."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)


@contextmanager
def private_file(path: Path) -> Iterator[TextIO]:
    """Opens a new file for writing. It takes the place of an older one when the block ends, unless it fails."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w") as file:
            yield file
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_private(path: Path, text: str) -> None:
    """Writes a file, or replaces it: its previous content is there until the new one is complete."""
    with private_file(path) as file:
        file.write(text)


def append_private(path: Path) -> BinaryIO:
    """Opens a file for appending, and creates it if necessary; an existing one becomes private."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


def new_secret() -> str:
    """Returns 256 random bits as hexadecimal digits, which need no escaping in URLs and configuration files."""
    return secrets.token_hex(32)


def secret_in(path: Path) -> str:
    """Returns the secret in a file; if the file does not exist, creates it with a new secret."""
    if not path.exists():
        write_private(path, new_secret())
    return path.read_text()
