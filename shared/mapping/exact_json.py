"""JSON with exact numbers: whole numbers of any size, and the digits of all others."""

import json
from collections import Counter
from decimal import Decimal
from math import isinf

from shared.message_files.scalars import shown


class BadNumber(ValueError):
    """A number that events cannot hold."""


class DuplicateKey(ValueError):
    """An object has a key twice."""


def exact(text: str) -> Decimal:
    """Returns the number that a text in JSON is, with all its digits.

    Raises:
        BadNumber: It is too large for a double.
    """
    # A Decimal of any magnitude is a few bytes, but it takes for ever to make a whole number of one.
    if isinf(float(text)):
        raise BadNumber("has a number that is too large")
    return Decimal(text)


def _refuse(name: str) -> None:
    raise BadNumber(f"has {name}, which is not a number in JSON")


DECODER = json.JSONDecoder(parse_float=exact, parse_constant=_refuse)
"""Raises `JSONDecodeError`, `RecursionError`, and `ValueError` for numbers: `json_flaw` explains them."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise DuplicateKey(f"has the key {shown(twice)} twice in an object")
    return members


STRICT_DECODER = json.JSONDecoder(parse_float=exact, parse_constant=_refuse, object_pairs_hook=_unique)
"""As `DECODER`, and refuses an object that has a key twice, because two readers may take different ones."""


def json_flaw(error: ValueError | RecursionError) -> str:
    """Returns the flaw of a value that `DECODER` refuses."""
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {error.msg} at character {error.pos + 1:,}"
    if isinstance(error, BadNumber | DuplicateKey):
        return str(error)
    return "is nested too deeply" if isinstance(error, RecursionError) else "has a number that is too long"
