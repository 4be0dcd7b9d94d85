"""Fits a scorecard: whole points for a few kinds of events, each counted up to a limit.

1. Every kind of event is tried with several limits (`LIMITS`). A logistic regression with an L1 penalty chooses among
   them. Its strength is judged in time, fitted to earlier leads and judged by later ones: the strongest penalty wins
   that is within one standard error of the best. Of each kind, the limit with the most weight stays, and of all kinds
   the heaviest `max_rules`.
2. A logistic regression with an L2 penalty is fitted to these alone, within the signs that the user allows.
3. Its weights are scaled to whole points, as coarse as the AUC allows (`ROUNDING_COST`).

Everything is deterministic for the same facts and the same seed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import TimeSeriesSplit

from cli.learning.facts import Facts, Kind, Vector

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Inverse strengths of the L1 penalty."""
FOLDS = 4
RIDGE = 50.0
"""Strength of the L2 penalty of the final fit, for weights of columns with a standard deviation of 1."""
SCALES = (10, 20, 30, 50, 100)
"""The points of the heaviest rule, coarsest first."""
ROUNDING_COST = 0.001
"""Largest loss of AUC that makes a coarser scale the better one."""
MAX_LEADS = 100_000
"""Leads that are fitted; of more, a random sample is."""
MIN_EACH = 20
"""Fewest leads that converted, and that did not, from which anything can be learnt."""


class Limits(NamedTuple):
    """How often a rule can count for a lead: at most `times`, and not twice on a day if it counts `days`."""

    times: int
    days: bool = False


LIMITS = (Limits(1), Limits(3), Limits(10), Limits(30, days=True))


class NothingToLearn(Exception):
    """The leads do not allow a fit. The text is a sentence that says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Card:
    """A fitted rule: `points` for each event of a kind, within its limits."""

    kind: Kind
    limits: Limits
    points: int


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The rules, heaviest first, and what rounding cost.

    `scores` are the scores of the leads it was fitted to, ascending. `auc` is that of these leads, `exact_auc` the one
    before rounding; both flatter, because the leads are those of the fit.
    """

    cards: tuple[Card, ...]
    scores: Vector
    leads: int
    converted: int
    auc: float
    exact_auc: float


def fit(facts: Facts, *, max_rules: int, seed: int, signs: Mapping[str, int]) -> Scorecard:
    """Fits a scorecard of at most `max_rules` rules.

    `signs` says of some event types whether their points must be positive (1) or negative (-1).

    Raises:
        NothingToLearn: Too few leads converted or did not, or nothing tells them apart.
    """
    some = _sample(len(facts.converted), seed)
    converted = facts.converted[some]
    _check(converted)
    candidates = _Candidates.of(facts.kinds, facts.counts[some], facts.days[some])
    chosen = _choose(candidates, converted, max_rules, seed, signs)
    if not chosen:
        raise NothingToLearn("no kind of event tells the leads apart: choose a later landmark, or name a --property")
    columns = candidates.matrix[:, chosen]
    weights = _weights(columns, converted, [signs.get(candidates.kind(each).event_type, 0) for each in chosen])
    exact_auc = float(roc_auc_score(converted, columns @ weights))
    points = _rounded(columns, weights, converted, exact_auc)
    scores = np.sort(np.asarray(columns @ points, dtype=np.float64))
    cards = [
        Card(candidates.kind(each), candidates.limits(each), int(given))
        for each, given in zip(chosen, points, strict=True)
        if given
    ]
    return Scorecard(
        cards=tuple(sorted(cards, key=lambda card: (-abs(card.points), card.kind.event_type))),
        scores=scores,
        leads=len(converted),
        converted=int(converted.sum()),
        auc=float(roc_auc_score(converted, columns @ points)),
        exact_auc=exact_auc,
    )


@dataclass(frozen=True, slots=True)
class _Candidates:
    """A column for each kind and limit, kind by kind."""

    kinds: Sequence[Kind]
    matrix: sparse.csc_matrix

    @classmethod
    def of(cls, kinds: Sequence[Kind], counts: sparse.csr_matrix, days: sparse.csr_matrix) -> "_Candidates":
        limited = [_at_most(days if limits.days else counts, limits.times) for limits in LIMITS]
        order = [limits * len(kinds) + kind for kind in range(len(kinds)) for limits in range(len(LIMITS))]
        return cls(kinds, sparse.hstack(limited).tocsc()[:, order].astype(np.float64))

    def kind(self, column: int) -> Kind:
        return self.kinds[column // len(LIMITS)]

    def limits(self, column: int) -> Limits:
        return LIMITS[column % len(LIMITS)]


def _at_most(counts: sparse.csr_matrix, times: int) -> sparse.csr_matrix:
    limited = counts.copy()
    limited.data = np.minimum(limited.data, times)
    return limited


def _sample(leads: int, seed: int) -> npt.NDArray[np.int64]:
    """Returns the numbers of at most `MAX_LEADS` leads, in order."""
    if leads <= MAX_LEADS:
        return np.arange(leads)
    return np.sort(np.random.default_rng(seed).choice(leads, MAX_LEADS, replace=False))


def _check(converted: npt.NDArray[np.bool_]) -> None:
    wins = int(converted.sum())
    losses = len(converted) - wins
    for count, what, hint in (
        (wins, "converted", "check the names in --conversion, and choose a longer --horizon or an earlier --landmark"),
        (losses, "did not convert", "name the event types of lost leads with --lost, or set a --horizon"),
    ):
        if count < MIN_EACH:
            raise NothingToLearn(
                f"only {count:,} of {len(converted):,} leads with a known outcome {what} after the landmark, "
                f"{MIN_EACH} are needed: {hint}"
            )


def _choose(
    candidates: _Candidates, converted: npt.NDArray[np.bool_], max_rules: int, seed: int, signs: Mapping[str, int]
) -> list[int]:
    """Returns the columns of the rules: at most one for each kind, and `max_rules` in all."""
    matrix, deviations = _scaled(candidates.matrix)
    aucs = {strength: list(_aucs_in_time(matrix, converted, strength, seed)) for strength in STRENGTHS}
    judged = {strength: (float(np.mean(each)), float(np.std(each))) for strength, each in aucs.items() if each}
    if not judged:
        raise NothingToLearn(
            "the leads that converted all began at about the same time, so nothing can be judged by later leads: "
            "collect events for longer"
        )
    best, deviation = max(judged.values())
    enough = best - deviation / np.sqrt(FOLDS)
    strength = next(strength for strength, (mean, _) in judged.items() if mean >= enough)
    return _heaviest(candidates, _l1(matrix, converted, strength, seed) * (deviations > 0), max_rules, signs)


def _scaled(matrix: sparse.csc_matrix) -> tuple[sparse.csr_matrix, Vector]:
    """Returns the matrix with columns whose standard deviation is 1, and the deviations.

    Columns that are the same for all leads but a few become 0, with a deviation of 0: their weights would be large and
    rest on nothing.
    """
    means = np.asarray(matrix.mean(axis=0)).ravel()
    squares = np.asarray(matrix.multiply(matrix).mean(axis=0)).ravel()
    deviations = np.sqrt(np.maximum(squares - means**2, 0))
    share = MIN_EACH / max(MIN_EACH, matrix.shape[0])
    deviations[deviations**2 < share * (1 - share)] = 0
    factors = np.divide(1, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    return (matrix @ sparse.diags(factors)).tocsr(), deviations


def _aucs_in_time(
    matrix: sparse.csr_matrix, converted: npt.NDArray[np.bool_], strength: float, seed: int
) -> Iterator[float]:
    """Yields the AUC of later leads for fits to the earlier ones."""
    for before, after in TimeSeriesSplit(FOLDS).split(converted):
        if len(set(converted[before])) == len(set(converted[after])) == 2:
            weights = _l1(matrix[before], converted[before], strength, seed)
            yield float(roc_auc_score(converted[after], matrix[after] @ weights))


def _l1(matrix: sparse.csr_matrix, converted: npt.NDArray[np.bool_], strength: float, seed: int) -> Vector:
    model = LogisticRegression(l1_ratio=1.0, solver="liblinear", C=strength, max_iter=500, random_state=seed)
    found: Vector = model.fit(matrix, converted).coef_[0]
    return found


def _heaviest(candidates: _Candidates, weights: Vector, max_rules: int, signs: Mapping[str, int]) -> list[int]:
    chosen = []
    for start in range(0, len(weights), len(LIMITS)):
        allowed = signs.get(candidates.kind(start).event_type, 0)
        block = [0.0 if allowed * weight < 0 else abs(weight) for weight in weights[start : start + len(LIMITS)]]
        if max(block) > 0:
            chosen.append(start + int(np.argmax(block)))
    chosen.sort(key=lambda column: (-abs(weights[column]), column))
    return sorted(chosen[:max_rules])


def _weights(columns: sparse.csc_matrix, converted: npt.NDArray[np.bool_], signs: Sequence[int]) -> Vector:
    """Returns the weights of a logistic regression with a small L2 penalty, each with its sign if it has one."""
    matrix, deviations = _scaled(columns)
    target = converted.astype(np.float64)

    def loss(given: Vector) -> tuple[float, Vector]:
        margins = matrix @ given[1:] + given[0]
        errors = expit(margins) - target
        value = float(np.logaddexp(0, margins).sum() - target @ margins + RIDGE / 2 * given[1:] @ given[1:])
        return value, np.concatenate([[errors.sum()], matrix.T @ errors + RIDGE * given[1:]])

    ranges = [(None, None), *((0 if sign > 0 else None, 0 if sign < 0 else None) for sign in signs)]
    found = minimize(loss, np.zeros(len(signs) + 1), jac=True, bounds=ranges, method="L-BFGS-B")
    weights: Vector = np.divide(found.x[1:], deviations, out=np.zeros(len(signs)), where=deviations > 0)
    return weights


def _rounded(
    columns: sparse.csc_matrix, weights: Vector, converted: npt.NDArray[np.bool_], exact_auc: float
) -> npt.NDArray[np.int64]:
    """Returns whole points, of the coarsest scale that costs at most `ROUNDING_COST` of AUC, or else of the finest."""
    heaviest = np.abs(weights).max()
    points = np.zeros(len(weights), dtype=np.int64)
    for scale in SCALES:
        points = np.rint(weights / heaviest * scale).astype(np.int64)
        if exact_auc - float(roc_auc_score(converted, columns @ points)) <= ROUNDING_COST:
            break
    return points
