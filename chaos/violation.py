"""Violations, which the checker reports."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

MAX_CHARACTERS = 300
MAX_PER_INVARIANT = 20
"""How many violations of one invariant are reported; a broken system has thousands."""


class Unsupported(Exception):
    """The database contains something that the checker does not know how to check."""


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """An invariant (`I1` to `I18`) that does not hold, and one sentence that names the ids.

    `invariant` can also be `log` (a process logged an error), `stop` (a process did not stop), `gap` (too long without
    an acknowledgement), or `round` (not a defect of the product: the round proves nothing).
    """

    invariant: str
    what: str


def reported(found: Iterable[Violation]) -> list[Violation]:
    """Returns sorted violations without duplicates, limited in length and in number per invariant."""
    kept: list[Violation] = []
    counts: Counter[str] = Counter()
    for each in sorted({Violation(each.invariant, each.what[:MAX_CHARACTERS]) for each in found}):
        counts[each.invariant] += 1
        if counts[each.invariant] <= MAX_PER_INVARIANT:
            kept.append(each)
    return kept
