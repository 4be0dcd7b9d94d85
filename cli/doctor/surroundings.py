"""Which system to check, and with which settings: those of a `leadscore up`, or those of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.access.bootstrap import ADMIN_KEY
from cli.local import run_record
from cli.terminal.connection import Connection

_OWN = ("LEADSCORE_API_KEY", "LEADSCORE_API_KEY_FILE", "LEADSCORE_BASE_PORT")
"""Settings of `up` that are not those of a command."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A system: where its services are, the environment with their settings, and its data directory, if it is local."""

    connection: Connection
    environment: Mapping[str, str]
    data_dir: Path | None
    http_port: int | None = None


def look_around(data_dir: Path, base_port: int) -> Surroundings:
    """Returns the system of a data directory, if it is at that base port; otherwise the one of the environment.

    The settings of `up` become those of this process, where it has none of its own: calls use its certificates.
    """
    record = run_record.read(data_dir)
    if record is None or record.base_port != base_port or not record.settings:
        return Surroundings(Connection(base_port), dict(os.environ), None)
    for name, value in record.settings.items():
        if name not in _OWN:
            os.environ.setdefault(name, value)
    key = data_dir / "keys" / ADMIN_KEY
    if key.exists() and not any(os.environ.get(name) for name in _OWN[:2]):
        os.environ["LEADSCORE_API_KEY_FILE"] = str(key)
    return Surroundings(Connection(base_port), os.environ | dict(record.settings), data_dir, record.http_port)
