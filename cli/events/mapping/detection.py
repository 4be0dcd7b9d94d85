"""Finding the mapping of a file: by the columns that it has, or as the command line says."""

from pathlib import Path

from cli.events.files.records import EventFile
from cli.events.mapping.files import read_mapping, read_preset
from cli.events.mapping.formats import AUTO
from cli.terminal.connection import CommandError
from shared.mapping.presets import PRESETS
from shared.mapping.schema import MappingFile
from shared.mapping.values import column_key
from shared.message_files.scalars import shown

_OWN_LAYOUT = "leadscore"
_OWN_FIELDS = {"leadid", "eventid", "eventtype"}
_SHOWN_COLUMNS = 12


def find_mapping(file: EventFile, format_name: str, path: Path | None) -> tuple[str, MappingFile]:
    """Returns the mapping of a file, and its name.

    Args:
        file: The file.
        format_name: The name of a preset, or `AUTO` to compare the columns of the file with those of all presets.
        path: A mapping file to use instead; None if there is none.

    Raises:
        CommandError: The format is unknown, the mapping file is invalid, or no preset has the columns of the file.
    """
    if path:
        return str(path), read_mapping(path)
    name = _recognised(file) if format_name == AUTO else format_name
    if name is None:
        raise CommandError(
            f"{file.name} is {file.layout} with {_columns(file)}, which match no known format: "
            "say what they mean in a mapping file, and pass it with --mapping; see docs/importing.md"
        )
    return name, read_preset(name)


def is_table(file: EventFile) -> bool:
    """Returns whether a file has columns, which are found by names that are spelled differently."""
    return not file.typed or file.unit == "row"


def _recognised(file: EventFile) -> str | None:
    names = _names(file)
    for preset in PRESETS:
        mapping = read_preset(preset)
        if mapping.columns and not file.typed and len(file.columns) == len(mapping.columns):
            return preset
        if mapping.recognise and all(names & _keys(group, file) for group in mapping.recognise):
            return preset
    # An incomplete event is better explained line by line.
    is_own = not names or {column_key(name) for name in names} & _OWN_FIELDS
    return _OWN_LAYOUT if is_own else None


def _names(file: EventFile) -> set[str]:
    return _keys(file.columns, file)


def _keys(names: tuple[str, ...], file: EventFile) -> set[str]:
    return set(map(column_key, names)) if is_table(file) else set(names)


def _columns(file: EventFile) -> str:
    first, others = file.columns[:_SHOWN_COLUMNS], len(file.columns) - _SHOWN_COLUMNS
    names = ", ".join(shown(name).strip("'") for name in first)
    return f"the fields {names}" + (f" and {others} more" if others > 0 else "")
