"""Opening a file of events, whatever its format is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.events.files.records import EventFile


@contextmanager
def open_events(path: Path | None, encoding: str | None = None) -> Iterator[EventFile]:
    """Opens a file, or standard input if there is no path, and finds out its format.

    Args:
        path: The file.
        encoding: Its encoding; if None, it is detected.

    Raises:
        CommandError: The file cannot be read. The text says what it looks like, what was expected, and which command
            would do it.
    """
    raise NotImplementedError
