"""Checks that all parts of a rule share, and the error that names the invalid field."""

from collections.abc import Sequence

MAX_CHARACTERS = 256
"""The maximum length of an id, a name, or a stage, in characters."""


class InvalidRule(Exception):
    """A rule is not valid. `field` is the path in the rule; `str(error)` is a sentence for the caller."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


def check_text(field: str, text: str, *, limit: int = MAX_CHARACTERS, required: bool = False) -> None:
    """Checks that a text has at most `limit` characters and no NUL, and that it is not empty if it is required.

    Raises:
        InvalidRule: The text is not valid.
    """
    if required and not text:
        raise InvalidRule(field, "must not be empty")
    if len(text) > limit:
        raise InvalidRule(field, f"has {len(text)} characters, at most {limit} are allowed")
    if "\0" in text:
        raise InvalidRule(field, "must not contain a NUL character")


def check_distinct(field: str, texts: Sequence[str]) -> None:
    """Checks that texts are valid and distinct.

    Raises:
        InvalidRule: A text is not valid or occurs twice; the field has its index.
    """
    for index, text in enumerate(texts):
        check_text(f"{field}[{index}]", text)
        if texts.count(text) > 1:
            raise InvalidRule(f"{field}[{index}]", f"{text!r} occurs twice")


def check_range(field: str, value: int, minimum: int, maximum: int) -> None:
    """Checks that a number is between two bounds, both inclusive.

    Raises:
        InvalidRule: The number is outside the bounds.
    """
    if not minimum <= value <= maximum:
        raise InvalidRule(field, f"is {value}, must be {minimum} to {maximum}")
