"""The API key that a process shows to the services that it calls."""

import time
from pathlib import Path

from shared import logs
from shared.settings import CallerSettings, StartupError

CHECK_SECONDS = 1.0
"""How often the file of a key is looked at."""

_LOG = logs.get(__name__)


class OwnKey:
    """The key of a process, from its settings or from a file. A file is read again when it changes.

    Raises:
        StartupError: The file cannot be read.
    """

    def __init__(self, settings: CallerSettings) -> None:
        self._path = Path(settings.api_key_file) if settings.api_key_file else None
        self._metadata = _metadata(settings.api_key.get_secret_value())
        self._modified = 0
        self._checked_at = time.monotonic()
        if self._path:
            try:
                self._read(self._path)
            except (OSError, UnicodeError) as error:
                raise StartupError(f"LEADSCORE_API_KEY_FILE: {error}") from None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Returns what to add to the metadata of each call; nothing without a key."""
        if self._path and time.monotonic() - self._checked_at >= CHECK_SECONDS:
            self._checked_at = time.monotonic()
            try:
                self._read(self._path)
            except (OSError, UnicodeError) as error:
                _LOG.warning("API key file cannot be read; the last key remains in use", error=logs.one_line(error))
        return self._metadata

    def _read(self, path: Path) -> None:
        modified = path.stat().st_mtime_ns
        if modified != self._modified:
            self._metadata, self._modified = _metadata(path.read_text().strip()), modified


def _metadata(key: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {key}"),) if key else ()
