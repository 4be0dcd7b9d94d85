"""The formats that `--format` takes."""

from pathlib import Path

from cli.terminal.connection import CommandError
from shared.mapping import presets
from shared.mapping.presets import PRESETS

AUTO = "auto"
"""Stands for the first format whose columns a file has."""


def preset_path(name: str) -> Path:
    """Returns the mapping file of a format.

    Raises:
        CommandError: The format is unknown.
    """
    if name not in PRESETS:
        raise CommandError(f"--format {name!r} is unknown: give {AUTO}, {', '.join(PRESETS[:-1])} or {PRESETS[-1]}")
    return presets.preset_path(name)
