"""How well scores separate the leads that convert from the others: AUC with its confidence interval, and a paired test.

The variances are those of DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), 837-845. They are computed from the
number of leads with each score, so the cost depends on how many different scores there are.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import erfc, exp, log, sqrt
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Z = 1.959964
"""Half of the width of a 95 % confidence interval, in standard errors."""

Pair: TypeAlias = tuple[int, int]
"""The two scores of a lead: by the first model and by the second."""


@dataclass(frozen=True, slots=True)
class Auc:
    """An area under the ROC curve, with the bounds of its 95 % confidence interval, which is symmetric in log-odds.

    The bounds are None if the value is 0 or 1, or if fewer than two leads converted or did not.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The AUC of the second model minus that of the first, for the same leads.

    `p_value` is the probability of a difference at least as large if both models were equally good.
    """

    difference: float
    p_value: float


@dataclass(frozen=True, slots=True)
class _Placements:
    """For each score, the share of the others that a converted lead with it beats, and of converted leads that beat it.

    Ties count one half. The mean of the first over all converted leads is the AUC, as is that of the second over all
    others.
    """

    of_converted: Mapping[int, float]
    of_others: Mapping[int, float]


def auc_of(converted: Mapping[int, int], others: Mapping[int, int]) -> Auc | None:
    """Returns the AUC of leads counted by score; None if all of them convert, or none."""
    wins, losses = sum(converted.values()), sum(others.values())
    if not wins or not losses:
        return None
    placed = _placements(converted, others)
    value = _mean(converted, placed.of_converted)
    if wins == 1 or losses == 1 or value in {0.0, 1.0}:
        return Auc(value, None, None)
    error = sqrt(_variance_of_mean(converted, placed.of_converted) + _variance_of_mean(others, placed.of_others))
    odds, width = log(value / (1 - value)), Z * error / (value * (1 - value))
    return Auc(value, _logistic(odds - width), _logistic(odds + width))


def compare(converted: Mapping[Pair, int], others: Mapping[Pair, int]) -> Comparison | None:
    """Returns how two models differ; None if fewer than two leads converted, or did not."""
    if sum(converted.values()) <= 1 or sum(others.values()) <= 1:
        return None
    first, second = (_placements(marginal(converted, model), marginal(others, model)) for model in (0, 1))
    difference = _mean(marginal(converted, 1), second.of_converted) - _mean(marginal(converted, 0), first.of_converted)
    variance = _variance_of_difference(converted, first.of_converted, second.of_converted) + _variance_of_difference(
        others, first.of_others, second.of_others
    )
    # Without variance, all pairs of leads are ordered in the same way, or each of them differs.
    return Comparison(difference, erfc(abs(difference) / sqrt(2 * variance)) if variance else float(not difference))


def marginal(counts: Mapping[Pair, int], model: int) -> Counter[int]:
    """Returns the numbers of leads by the score of one model: 0 for the first, 1 for the second."""
    found = Counter[int]()
    for pair, count in counts.items():
        found[pair[model]] += count
    return found


def _placements(converted: Mapping[int, int], others: Mapping[int, int]) -> _Placements:
    wins, losses = sum(converted.values()), sum(others.values())
    of_converted, of_others = {}, {}
    others_below, converted_above = 0.0, float(wins)
    for score in sorted({*converted, *others}):
        positive, negative = converted.get(score, 0), others.get(score, 0)
        converted_above -= positive
        of_converted[score] = (others_below + negative / 2) / losses
        of_others[score] = (converted_above + positive / 2) / wins
        others_below += negative
    return _Placements(of_converted, of_others)


def _mean(counts: Mapping[T, int], values: Mapping[T, float]) -> float:
    return sum(count * values[score] for score, count in counts.items()) / sum(counts.values())


def _variance_of_mean(counts: Mapping[T, int], values: Mapping[T, float]) -> float:
    leads, mean = sum(counts.values()), _mean(counts, values)
    return sum(count * (values[score] - mean) ** 2 for score, count in counts.items()) / (leads - 1) / leads


def _variance_of_difference(
    counts: Mapping[Pair, int], first: Mapping[int, float], second: Mapping[int, float]
) -> float:
    differences = Counter[float]()
    for (one, other), count in counts.items():
        differences[second[other] - first[one]] += count
    return _variance_of_mean(differences, {each: each for each in differences})


def _logistic(odds: float) -> float:
    return 1 / (1 + exp(-odds))
