"""Mistakes of a model, and the checks that its sections share."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple


class Flaw(NamedTuple):
    """A mistake: its path in the model, such as `rules[3].points`, and a message."""

    field: str
    message: str


def count_flaws(path: str, count: int, limit: int, *, least: int = 0) -> Iterator[Flaw]:
    """Yields a mistake if a list has fewer than `least` items, or more than `limit`."""
    if not least <= count <= limit:
        yield Flaw(path, f"has {count}, must have {least} to {limit:,}")


def span_flaws(path: str, span: timedelta, longest: timedelta, *, positive: bool = False) -> Iterator[Flaw]:
    """Yields a mistake if a time span is negative, or too long; if it must be `positive`, also if it is 0."""
    if span > longest or span < timedelta() or (positive and not span):
        bounds = "more than 0 and" if positive else "not negative,"
        yield Flaw(path, f"is {span}, must be {bounds} at most {longest.days:,} days")
