"""Reading mapping files, and other files that a pydantic model describes. Mistakes come with their lines."""

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.mapping.presets import preset_path
from shared.mapping.schema import MappingFile
from shared.message_files.documents import Document, read_documents
from shared.message_files.messages import Flaw, Flawed

M = TypeVar("M", bound=BaseModel)

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
    """Returns the mapping file of a format that comes with leadscore, one of `PRESETS`."""
    return parse(preset_path(name).read_bytes(), MappingFile)


def parse(text: bytes, model: type[M]) -> M:
    """Returns what a YAML text describes.

    Raises:
        Flawed: The text has mistakes, or is not one document.
    """
    documents = read_documents(text)
    if len(documents) != 1:
        raise Flawed([Flaw("", f"has {len(documents)} documents, must have one")])
    document = documents[0]
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise Flawed(_flaws(error, document, model)) from None


def _flaws(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[Flaw]:
    for each in error.errors():
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in each["loc"]).lstrip(".")
        line = document.line_of(path)
        yield Flaw(", ".join(filter(None, (f"line {line}" if line else "", path))), _sentence(each, model))


def _sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(error["loc"], model)
    if kind == "literal_error":
        return f"must be {context['expected']}"
    return str(context["error"]) if "error" in context else _SENTENCES.get(kind, error["msg"])


def _unknown(path: tuple[int | str, ...], model: type[BaseModel]) -> str:
    *outer, name = path
    for part in outer:
        field = next((each for known, each in _fields(model).items() if known == part), None)
        model = (field and _model_in(field.annotation)) or model
    nearest = difflib.get_close_matches(str(name), _fields(model), 1)
    known = ", ".join(_fields(model))
    return f"is unknown; did you mean {nearest[0]}?" if nearest else f"is unknown; must be one of {known}"


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the fields of a model by the names that they have in a file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Returns the model that a field holds, also in a list or a mapping; None if it holds none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
