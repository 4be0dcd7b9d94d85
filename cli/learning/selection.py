"""Chooses the rules of a scorecard among many candidates, and how quickly its points decay.

A logistic regression with an L1 penalty is fitted to earlier leads and judged by later ones. Of its strengths, the
strongest wins that is within one standard error of the best. A decay wins if it improves the AUC of the later leads by
`MIN_GAIN`, and by more than two standard errors. Of each kind, the limits with the most weight stay, and of all kinds
the heaviest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import TimeSeriesSplit

from cli.learning.facts import Facts, Flags, Limits, Vector
from cli.learning.kinds import MIN_EACH, Kind
from cli.learning.recency import RECENCIES, Recency

LIMITS = (Limits(1), Limits(3), Limits(10), Limits(30, a_day=1), Limits(30, a_day=3))
ONCE = Limits(1)
"""The limits of an attribute, which counts once."""
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Inverse strengths of the L1 penalty."""
FOLDS = 4
MIN_GAIN = 0.003
"""Smallest gain of AUC for which points decay."""
MAX_JUDGED = 20_000
"""Leads by which strengths and decays are judged; of more, every second, third and so on is."""


@dataclass(frozen=True, slots=True)
class Constraints:
    """What the points must be like.

    Attributes:
        signs: 1 or -1 for event types and attributes whose points must be positive or negative.
        orders: 1 or -1 for properties (`TYPE:PROPERTY`) and attributes whose points must rise or fall with the number.
        recencies: The decays that may be chosen, the default first.
    """

    signs: Mapping[str, int] = field(default_factory=dict)
    orders: Mapping[str, int] = field(default_factory=dict)
    recencies: Sequence[Recency] = RECENCIES

    def sign(self, kind: Kind) -> int:
        """Returns the sign that the points of a kind must have; 0 if either is allowed."""
        return self.signs.get(kind.event_type or kind.prop, 0)

    def order(self, kind: Kind) -> int:
        """Returns how the points must change from one range of numbers to the next; 0 if they may do so in any way."""
        return self.orders.get(kind.subject, 0) if kind.is_range else 0

    def excludes(self, kind: Kind) -> bool:
        """Whether a kind cannot have a rule, because ranges of its type that must be in order have one."""
        return not kind.prop and any(name.startswith(f"{kind.event_type}:") for name in self.orders)


class Candidate(NamedTuple):
    """What a rule can count: the number of a kind, up to limits."""

    kind: int
    limits: Limits


@dataclass(frozen=True, slots=True)
class Choice:
    """The rules that were chosen, and the AUC of later leads by the regression that chose them."""

    candidates: list[Candidate]
    recency: Recency
    time_auc: float


@dataclass(frozen=True, slots=True)
class _Trial:
    """The AUCs of later leads, fold by fold."""

    strength: float
    recency: Recency
    aucs: Vector

    @property
    def mean(self) -> float:
        return float(self.aucs.mean())

    @property
    def error(self) -> float:
        return float(self.aucs.std() / np.sqrt(len(self.aucs)))

    def beats(self, other: "_Trial") -> bool:
        gains = self.aucs - other.aucs
        return float(gains.mean()) > max(MIN_GAIN, 2 * float(gains.std() / np.sqrt(len(gains))))


def choose(facts: Facts, max_rules: int, seed: int, constraints: Constraints) -> Choice | None:
    """Chooses at most one rule for each kind, and `max_rules` in all; None if no fold has leads of both outcomes."""
    candidates = [
        candidate for candidate in _candidates(facts) if not constraints.excludes(facts.kinds[candidate.kind])
    ]
    trial = _best_trial(facts, candidates, seed, constraints)
    if trial is None:
        return None
    matrix, deviations = scaled(_matrix(facts, candidates, trial.recency))
    weights = _l1(matrix, facts.converted, trial.strength, seed) * (deviations > 0)
    units = list(_units(facts, candidates, weights, constraints))
    units.sort(key=lambda unit: (-unit.weight, unit.candidates[0]))
    chosen = list[Candidate]()
    for unit in units:
        if len(chosen) + len(unit.candidates) <= max_rules:
            chosen += unit.candidates
    return Choice(sorted(chosen), trial.recency, trial.mean)


def scaled(matrix: sparse.csc_matrix) -> tuple[sparse.csr_matrix, Vector]:
    """Returns the matrix with columns whose standard deviation is 1, and the deviations.

    Columns that are the same for all leads but a few become 0, with a deviation of 0: their weights would be large and
    rest on nothing.
    """
    means = np.asarray(matrix.mean(axis=0)).ravel()
    squares = np.asarray(matrix.multiply(matrix).mean(axis=0)).ravel()
    deviations = np.sqrt(np.maximum(squares - means**2, 0))
    deviations[_differing(matrix) < MIN_EACH] = 0
    factors = np.divide(1, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    return (matrix @ sparse.diags(factors)).tocsr(), deviations


def _differing(matrix: sparse.csc_matrix) -> Vector:
    """Returns how many leads have another value than most leads have, by column."""
    leads, columns = matrix.shape
    found = np.zeros(columns)
    for column in range(columns):
        values = matrix.data[matrix.indptr[column] : matrix.indptr[column + 1]]
        _, counts = np.unique(values, return_counts=True)
        found[column] = leads - max(counts.max(initial=0), leads - len(values))
    return found


def _candidates(facts: Facts) -> list[Candidate]:
    return [
        Candidate(number, limits)
        for number, kind in enumerate(facts.kinds)
        for limits in (LIMITS if kind.event_type else (ONCE,))
    ]


def _matrix(facts: Facts, candidates: Sequence[Candidate], recency: Recency) -> sparse.csc_matrix:
    """Returns what each candidate (column) counts of each lead (row)."""
    left, width = facts.left(recency), len(facts.kinds)
    blocks = {limits: facts.matrix(facts.within(facts.codes, limits), width, left) for limits in LIMITS}
    blocks[ONCE] = blocks[ONCE] + facts.attributes
    whole = sparse.hstack([blocks[limits] for limits in LIMITS]).tocsc()
    return whole[:, [LIMITS.index(candidate.limits) * width + candidate.kind for candidate in candidates]]


def _best_trial(facts: Facts, candidates: Sequence[Candidate], seed: int, constraints: Constraints) -> _Trial | None:
    """Returns the best strength for the first decay, or for the decay that beats it with the same strength."""
    some = facts.every(-(-facts.leads // MAX_JUDGED))
    first, *others = constraints.recencies
    trials = list(_trials(some, candidates, first, STRENGTHS, seed))
    if not trials:
        return None
    best = max(trials, key=lambda trial: trial.mean)
    chosen = next(trial for trial in trials if trial.mean >= best.mean - best.error)
    for recency in others:
        for trial in _trials(some, candidates, recency, [chosen.strength], seed):
            if trial.beats(chosen):
                chosen = trial
    return chosen


def _trials(
    facts: Facts, candidates: Sequence[Candidate], recency: Recency, strengths: Sequence[float], seed: int
) -> Iterator[_Trial]:
    """Yields a trial for each strength, unless no fold has leads of both outcomes."""
    matrix, _ = scaled(_matrix(facts, candidates, recency))
    for strength in strengths:
        if aucs := list(_aucs_in_time(matrix, facts.converted, strength, seed)):
            yield _Trial(strength, recency, np.array(aucs))


def _aucs_in_time(matrix: sparse.csr_matrix, converted: Flags, strength: float, seed: int) -> Iterator[float]:
    """Yields the AUC of later leads for fits to the earlier ones."""
    for before, after in TimeSeriesSplit(FOLDS).split(converted):
        if len(set(converted[before])) == len(set(converted[after])) == 2:
            weights = _l1(matrix[before], converted[before], strength, seed)
            yield float(roc_auc_score(converted[after], matrix[after] @ weights))


def _l1(matrix: sparse.csr_matrix, converted: Flags, strength: float, seed: int) -> Vector:
    model = LogisticRegression(l1_ratio=1.0, solver="liblinear", C=strength, max_iter=500, random_state=seed)
    found: Vector = model.fit(matrix, converted).coef_[0]
    return found


class _Unit(NamedTuple):
    """Candidates that are chosen together, and the weight of the heaviest of them."""

    candidates: list[Candidate]
    weight: float


def _units(facts: Facts, candidates: Sequence[Candidate], weights: Vector, constraints: Constraints) -> Iterator[_Unit]:
    """Yields what can be chosen: a kind with its heaviest limits, or all ranges of numbers that must be in order."""
    together: dict[tuple[str, int], list[int]] = {}
    for number, candidate in enumerate(candidates):
        kind = facts.kinds[candidate.kind]
        key = (kind.subject, -1) if constraints.order(kind) else ("", candidate.kind)
        together.setdefault(key, []).append(number)
    for numbers in together.values():
        by_limits: dict[Limits, float] = {}
        for number in numbers:
            sign, weight = constraints.sign(facts.kinds[candidates[number].kind]), float(weights[number])
            size = abs(weight) if sign * weight >= 0 else 0.0
            by_limits[candidates[number].limits] = by_limits.get(candidates[number].limits, 0.0) + size
        limits, weight = max(by_limits.items(), key=lambda item: item[1])
        if weight:
            yield _Unit([candidates[number] for number in numbers if candidates[number].limits == limits], weight)
