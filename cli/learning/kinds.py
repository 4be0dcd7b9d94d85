"""Kinds: what a rule can tell apart, by the type of an event and the value of a property, or by an attribute.

Texts become a bounded choice of the most frequent ones, and numbers become ranges that hold about equally many leads.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

import numpy as np

Scalar = str | float | bool
Value = Scalar | tuple[Scalar, ...]
"""A value that can be learnt from: a text, a number, true or false, or a list of them."""

MIN_EACH = 20
"""Fewest leads from which anything can be learnt."""
MAX_VALUES = 10
"""Values that get a rule of their own, most frequent first."""
MAX_WORDS = 20
QUANTILES = (0.25, 0.5, 0.75)
"""Where numbers are divided."""
_WORD = re.compile(r"[^\W_]{2,}")


class Kind(NamedTuple):
    """Events, or leads, that one rule can count.

    With an `event_type`, the events of this type; otherwise, leads by an attribute, whose name is `prop`. The value
    equals `equals`, contains `word`, or is a number that is `at_least` and `less_than` these. If all are None, these
    are the events of the type that no other kind counts.
    """

    event_type: str
    prop: str = ""
    equals: Scalar | None = None
    word: str | None = None
    at_least: float | None = None
    less_than: float | None = None

    @property
    def subject(self) -> str:
        """Returns what people call it: the event type, `TYPE:PROPERTY`, or the attribute."""
        return ":".join(filter(None, (self.event_type, self.prop)))

    @property
    def is_range(self) -> bool:
        """Whether it is a range of numbers."""
        return self.at_least is not None or self.less_than is not None

    @property
    def lowest(self) -> float:
        """The lower end of a range of numbers."""
        return -inf if self.at_least is None else self.at_least

    def holds(self, value: Value | None) -> bool:
        """Returns whether a value belongs to this kind, as the conditions of the engine do."""
        if self.equals is not None:
            return type(value) is type(self.equals) and value == self.equals
        if self.word is not None:
            return _contains(value, self.word)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (self.at_least is None or value >= self.at_least) and (self.less_than is None or value < self.less_than)


def kinds_of(event_type: str, prop: str, values: Sequence[Value]) -> list[Kind]:
    """Returns disjoint kinds of the values of a property."""
    texts = Counter(value for value in values if isinstance(value, str | bool))
    numbers = Counter(value for value in values if isinstance(value, int | float) and not isinstance(value, bool))
    kinds = [Kind(event_type, prop, equals=value) for value, _ in texts.most_common(MAX_VALUES)]
    return kinds + [Kind(event_type, prop, at_least=low, less_than=high) for low, high in _ranges(numbers)]


def words_of(prop: str, values: Sequence[Value]) -> list[Kind]:
    """Returns the most frequent words of an attribute with many texts, and the items of its lists; they can overlap."""
    if len(set(values)) <= MAX_VALUES and not any(isinstance(value, tuple) for value in values):
        return []
    found = Counter(word for value in values for word in dict.fromkeys(_words(value)))
    return [Kind("", prop, word=word) for word, count in found.most_common(MAX_WORDS) if count >= MIN_EACH]


def _ranges(counts: Mapping[float, int]) -> Iterator[tuple[float | None, float | None]]:
    """Yields ranges of numbers that hold at least `MIN_EACH` values each, without gaps; nothing if there is but one."""
    if len(counts) < 2:
        return
    values, weights = (np.array(each, dtype=float) for each in zip(*sorted(counts.items()), strict=True))
    reached = np.cumsum(weights) / weights.sum()
    inner, least = list[float](), MIN_EACH / weights.sum()
    below = 0.0
    for share in QUANTILES:
        bound = float(f"{values[np.searchsorted(reached, share, side='right')]:.3g}")
        under = float(weights[values < bound].sum() / weights.sum())
        if under - below >= least and 1 - under >= least:
            inner.append(bound)
            below = under
    if inner:
        yield from pairwise((None, *inner, None))


def _words(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield from _WORD.findall(value.casefold())
    elif isinstance(value, tuple):
        yield from (item.casefold() for item in value if isinstance(item, str))


def _contains(value: Value | None, word: str) -> bool:
    if isinstance(value, str):
        return word in value.casefold()
    return isinstance(value, tuple) and any(isinstance(item, str) and item.casefold() == word for item in value)
