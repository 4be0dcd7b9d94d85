"""Reading mapping files: those of users, and those that come with leadscore."""

import difflib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cli.events.mapping.presets import preset_path
from cli.events.mapping.schema import EventSection, MappingFile, PropertiesSection, TimeSection, TypeSection
from cli.terminal.connection import CommandError
from cli.terminal.files import flaw_lines
from shared.message_files.documents import MAX_BYTES, Document, read_documents
from shared.message_files.messages import Flaw, Flawed

_SECTIONS: dict[object, type[BaseModel]] = {
    "events": EventSection,
    "event_type": TypeSection,
    "event_time": TimeSection,
    "sent_time": TimeSection,
    "properties": PropertiesSection,
}
_SENTENCES = {
    "missing": "is missing",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "tuple_type": "must be a list",
}


@cache
def read_preset(name: str) -> MappingFile:
    """Returns a mapping file that comes with leadscore.

    Raises:
        CommandError: There is none of this name.
    """
    return read_mapping(preset_path(name))


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
        return _parse(text)
    except Flawed as flawed:
        first, *others = flaw_lines(flawed.flaws)
        if others:
            raise CommandError(f"{path} is not a valid mapping file", (first, *others)) from None
        raise CommandError(f"{path}: {first}") from None


def _parse(text: bytes) -> MappingFile:
    documents = read_documents(text)
    if len(documents) != 1:
        raise Flawed([Flaw("", f"has {len(documents)} documents, must have one")])
    document = documents[0]
    try:
        return MappingFile.model_validate(document.value)
    except ValidationError as error:
        raise Flawed(_flaws(error, document)) from None


def _flaws(error: ValidationError, document: Document) -> Iterator[Flaw]:
    for each in error.errors():
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in each["loc"]).lstrip(".")
        line = document.line_of(path)
        yield Flaw(", ".join(filter(None, (f"line {line}" if line else "", path))), _sentence(each))


def _sentence(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(error["loc"])
    if kind == "literal_error":
        return f"must be {context['expected']}"
    return str(context["error"]) if "error" in context else _SENTENCES.get(kind, error["msg"])


def _unknown(path: tuple[int | str, ...]) -> str:
    *outer, name = path
    section = next((_SECTIONS.get(part, MappingFile) for part in reversed(outer) if isinstance(part, str)), MappingFile)
    known = [field.alias or name for name, field in section.model_fields.items()]
    nearest = difflib.get_close_matches(str(name), known, 1)
    return f"is unknown; did you mean {nearest[0]}?" if nearest else f"is unknown; must be one of {', '.join(known)}"
