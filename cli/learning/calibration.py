"""Calibration: from a score to the probability that a lead converts.

Leads are pooled into groups of neighbouring scores that hold enough of them. Isotonic regression merges groups until
the share that converts does not fall with the score. The interval of each step is that of Wilson (1927), for 95 %.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from sklearn.isotonic import isotonic_regression

from cli.learning.facts import Flags, Vector
from cli.learning.scorecard import Points

MIN_STEP = 385
"""Leads on which a step rests, so that its probability is known within 0.05."""
MIN_SHARE, MAX_SHARE = 1 / 20, 1 / 5
"""Share of the leads on which a step rests at least if there are many of them, and at most if there are few."""
Z = 1.959964
"""Half of the width of a 95 % interval, in standard errors."""


class Step(NamedTuple):
    """Scores from `minimum_score` up to the next step, and the probability that leads with them convert."""

    minimum_score: int
    probability: float
    low: float
    high: float
    leads: int


@dataclass(frozen=True, slots=True)
class _Groups:
    """Groups of neighbouring scores: the lowest, the number of leads, and how many of them converted."""

    minimums: Points
    leads: Vector
    converted: Vector

    @classmethod
    def of(cls, scores: Points, converted: Flags, weights: Vector) -> "_Groups":
        """Returns the leads by score; each lead counts as many times as its weight says."""
        minimums, places = np.unique(scores, return_inverse=True)
        leads, wins = (np.bincount(places, each).astype(np.float64) for each in (weights, weights * converted))
        return cls(minimums, leads, wins)

    def merged(self, starts: "np.typing.NDArray[np.int64]") -> "_Groups":
        """Returns fewer groups, which begin at the given ones."""
        return _Groups(self.minimums[starts], *(np.add.reduceat(each, starts) for each in (self.leads, self.converted)))


def steps_of(scores: Points, converted: Flags, weights: Vector) -> list[Step]:
    """Returns the calibration of leads with these scores, a step at least."""
    groups = _Groups.of(scores, converted, weights)
    pooled = groups.merged(np.array(list(_starts(groups.leads)), dtype=np.int64))
    rates = pooled.converted / pooled.leads
    rising = isotonic_regression(rates, sample_weight=pooled.leads)
    steps = pooled.merged(np.flatnonzero(np.diff(rising, prepend=-1) > 0))
    return [_step(*each) for each in zip(steps.minimums, steps.leads, steps.converted, strict=True)]


def _starts(leads: Vector) -> Iterator[int]:
    """Yields where groups begin that hold enough leads; what is left over belongs to the last one."""
    left, held = leads.sum(), 0.0
    enough = max(MIN_SHARE * left, min(MIN_STEP, MAX_SHARE * left))
    yield 0
    for number, count in enumerate(leads[:-1], 1):
        held, left = held + count, left - count
        if held >= enough and left >= enough:
            yield number
            held = 0.0


def _step(minimum: int, leads: float, converted: float) -> Step:
    low, high = wilson(converted, leads)
    return Step(int(minimum), float(converted / leads), low, high, round(leads))


def wilson(converted: float, leads: float) -> tuple[float, float]:
    """Returns the 95 % interval of the share of leads that convert."""
    share, square = converted / leads, Z * Z / leads
    middle = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * sqrt(share * (1 - share) / leads + square / leads / 4)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))
