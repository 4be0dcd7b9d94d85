"""Calibration: how likely a lead with a certain score converts, and how well such probabilities agree with outcomes."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

BINS = 10
"""The number of bins of equal width in which probabilities are compared with outcomes."""


@dataclass(frozen=True, slots=True)
class CalibrationStep:
    """The probability of scores from `minimum_score` up to the next step, with its 95 % confidence interval.

    It rests on this number of `leads`.
    """

    minimum_score: int
    probability: float
    low: float
    high: float
    leads: int


@dataclass(frozen=True)
class Calibration:
    """What became of leads by their score at a landmark: steps with ascending scores, and probabilities not decreasing.

    A conversion counts for the time `horizon` after the landmark; without one, it counts whenever it comes.
    """

    landmark: timedelta
    horizon: timedelta | None
    leads: int
    steps: tuple[CalibrationStep, ...]

    @cached_property
    def _later_minimums(self) -> list[int]:
        """The minimums of all steps but the first, which has no lower bound."""
        return [step.minimum_score for step in self.steps[1:]]

    def at(self, score: int) -> CalibrationStep:
        """Returns the step that a score falls in."""
        return self.steps[bisect_right(self._later_minimums, score)]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Leads with similar probabilities: the mean of these, and how many of the leads converted."""

    mean_probability: float
    leads: int
    converted: int

    @property
    def rate(self) -> float:
        """The share of leads that converted, 0 to 1."""
        return self.converted / self.leads


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well probabilities agree with what happened.

    The Brier score is the mean squared difference between the probability of a lead and its outcome, 0 or 1. The
    calibration error is the mean over all leads of the difference between probability and conversion rate in their bin.
    """

    calibration: Calibration
    brier_score: float
    calibration_error: float
    bins: tuple[ReliabilityBin, ...]


def reliability_of(
    calibration: Calibration, converted: Mapping[int, int], others: Mapping[int, int]
) -> Reliability | None:
    """Returns how well the probabilities of leads, counted by score, agree with outcomes; None without leads."""
    leads = sum(converted.values()) + sum(others.values())
    if not leads:
        return None
    squares = sum(count * (1 - calibration.at(score).probability) ** 2 for score, count in converted.items())
    squares += sum(count * calibration.at(score).probability ** 2 for score, count in others.items())
    bins = tuple(_bins(calibration, converted, others))
    error = sum(each.leads * abs(each.mean_probability - each.rate) for each in bins) / leads
    return Reliability(calibration, squares / leads, error, bins)


def _bins(
    calibration: Calibration, converted: Mapping[int, int], others: Mapping[int, int]
) -> Iterator[ReliabilityBin]:
    """Yields the bins that have leads, by ascending probability."""
    sums, leads, wins = [0.0] * BINS, [0] * BINS, [0] * BINS
    for score in {*converted, *others}:
        probability, count = calibration.at(score).probability, converted.get(score, 0) + others.get(score, 0)
        number = min(int(probability * BINS), BINS - 1)
        sums[number] += count * probability
        leads[number] += count
        wins[number] += converted.get(score, 0)
    for total, count, won in zip(sums, leads, wins, strict=True):
        if count:
            yield ReliabilityBin(total / count, count, won)
