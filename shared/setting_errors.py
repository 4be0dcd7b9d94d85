"""Says what is wrong with settings: the variable, its value, what is allowed, and what it means.

Guarantee: no text contains the value of a secret.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from shared.known_settings import NAMES

PREFIX = "LEADSCORE_"
_FROM_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP)|_PORT$")
"""Variables that Kubernetes adds for each service of a namespace, whose names may begin with the prefix."""


def flaws(settings: type[BaseModel], error: ValidationError) -> list[str]:
    """Returns a line for each mistake."""
    return [line for details in error.errors() for line in _lines(settings, details)]


def unknown(names: Iterable[str]) -> Iterator[str]:
    """Yields a sentence for each name of a variable that no process of leadscore reads."""
    for name in sorted(names):
        if name.startswith(PREFIX) and name not in NAMES and not _FROM_KUBERNETES.search(name):
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0)
            yield f"{name} is no setting of leadscore and has no effect; the nearest name is {near[0]}"


def _lines(settings: type[BaseModel], details: ErrorDetails) -> list[str]:
    if not details["loc"]:
        return str(details["ctx"]["error"]).splitlines()  # of settings that do not fit together
    name = str(details["loc"][0])
    field = settings.model_fields[name]
    return [f"{PREFIX}{name.upper()}: {_flaw(field, details)} ({_meaning(field)})"]


def _flaw(field: FieldInfo, details: ErrorDetails) -> str:
    if details["type"] == "missing":
        return f"is missing, must be {_allowed(field)}"
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    value = "not what it must be," if field.annotation is SecretStr else f"{details['input']!r},"
    return f"is {value} must be {_allowed(field)}"


def _meaning(field: FieldInfo) -> str:
    """Returns the first sentence of the description, which names the unit."""
    first = re.split(r"[.;:] ", field.description or "")[0].rstrip(".")
    return first if first[1:2].isupper() else first[:1].lower() + first[1:]


def _allowed(field: FieldInfo) -> str:
    kind = next((each for each in get_args(field.annotation) if each is not NoneType), field.annotation)
    if get_origin(field.annotation) is Literal:
        return _either(get_args(field.annotation))
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return f"{'a whole number' if kind is int else 'a number'}{_bounds(field)}"
    return f"a text like {field.examples[0]}" if field.examples else "a text that is not empty"


def _either(values: tuple[Any, ...]) -> str:
    return f"{', '.join(map(str, values[:-1]))} or {values[-1]}"


def _bounds(field: FieldInfo) -> str:
    """Returns the bounds of a number, such as ` from 1 to 64`."""
    least = next((f" from {each.ge:.15g}" for each in field.metadata if isinstance(each, annotated_types.Ge)), "")
    above = next((f" above {each.gt:.15g}" for each in field.metadata if isinstance(each, annotated_types.Gt)), "")
    most = next((f" to {each.le:.15g}" for each in field.metadata if isinstance(each, annotated_types.Le)), "")
    return f"{least}{most}" if least else f"{above}{' and up' if most else ''}{most}"
