"""What the checker reports."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

MAX_CHARACTERS = 300
MAX_OF_ONE = 20
"""Violations of one invariant that are reported; a broken system has thousands."""


class Unsupported(Exception):
    """The database holds something that the checker does not know how to check, so it cannot vouch for it."""


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """An invariant (`I1` to `I17`) that does not hold, and one sentence with the ids.

    In its place: `log` for what no process may log, `stop` for one that does not end, `gap` for too long a time without
    an acknowledgement, and `round` for what is no fault of the product: a round that shows nothing.
    """

    invariant: str
    what: str


def reported(found: Iterable[Violation]) -> list[Violation]:
    """Returns violations in order, each once, cut to what a person reads."""
    kept: list[Violation] = []
    counts: Counter[str] = Counter()
    for each in sorted({Violation(each.invariant, each.what[:MAX_CHARACTERS]) for each in found}):
        counts[each.invariant] += 1
        if counts[each.invariant] <= MAX_OF_ONE:
            kept.append(each)
    return kept
