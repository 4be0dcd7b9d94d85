"""JSON with exact numbers: whole numbers of any size, and the digits of all others."""

import json
from decimal import Decimal
from math import isinf


class BadNumber(ValueError):
    """A number that events cannot hold."""


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


def json_flaw(error: ValueError | RecursionError) -> str:
    """Returns the flaw of a value that `DECODER` refuses."""
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {error.msg} at character {error.pos + 1:,}"
    if isinstance(error, BadNumber):
        return str(error)
    return "is nested too deeply" if isinstance(error, RecursionError) else "has a number that is too long"
