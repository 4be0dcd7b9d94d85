"""Reading the mapping files of users, and those that come with leadscore by the names of their formats."""

from pathlib import Path

from cli.events.mapping.formats import preset_path
from cli.terminal.connection import CommandError
from cli.terminal.files import flaw_lines
from shared.mapping import parsing
from shared.mapping.schema import MappingFile
from shared.message_files.documents import MAX_BYTES
from shared.message_files.messages import Flawed


def read_preset(name: str) -> MappingFile:
    """Returns a mapping file that comes with leadscore.

    Raises:
        CommandError: There is none of this name.
    """
    preset_path(name)
    return parsing.read_preset(name)


def read_mapping(path: Path) -> MappingFile:
    """Returns a mapping file.

    Raises:
        CommandError: The file cannot be read, or has mistakes; the details list them with their lines.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return parsing.parse(text, MappingFile)
    except Flawed as flawed:
        first, *others = flaw_lines(flawed.flaws)
        if others:
            raise CommandError(f"{path} is not a valid mapping file", (first, *others)) from None
        raise CommandError(f"{path}: {first}") from None
