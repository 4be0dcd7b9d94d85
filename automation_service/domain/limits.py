"""The limits that all parts of a rule keep, and the error that names the part which does not."""

from collections.abc import Sequence

MAX_CHARACTERS = 256
"""Characters in an id, a name, or a stage."""


class InvalidRule(Exception):
    """A rule breaks a limit. `field` is its path in the rule, `str(error)` a sentence for the caller."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


def check_text(field: str, text: str, *, limit: int = MAX_CHARACTERS, required: bool = False) -> None:
    """Checks that a text has at most `limit` characters, no NUL, and, if required, at least one character.

    Raises:
        InvalidRule: It has not.
    """
    if required and not text:
        raise InvalidRule(field, "is empty")
    if len(text) > limit:
        raise InvalidRule(field, f"has {len(text)} characters, at most {limit} are allowed")
    if "\0" in text:
        raise InvalidRule(field, "contains a NUL character")


def check_distinct(field: str, texts: Sequence[str]) -> None:
    """Checks that texts are short enough and that none is there twice.

    Raises:
        InvalidRule: One is; its index is named.
    """
    for index, text in enumerate(texts):
        check_text(f"{field}[{index}]", text)
        if texts.count(text) > 1:
            raise InvalidRule(f"{field}[{index}]", f"{text!r} is named twice")


def check_range(field: str, value: int, least: int, limit: int) -> None:
    """Checks that a number lies within bounds, both inclusive.

    Raises:
        InvalidRule: It does not.
    """
    if not least <= value <= limit:
        raise InvalidRule(field, f"is {value}, must be {least} to {limit}")
