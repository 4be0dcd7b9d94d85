"""Fits a scorecard: whole points for a few kinds of events, each counted up to a limit, and for attributes.

1. Every kind of event is tried with several limits (`LIMITS`). A logistic regression with an L1 penalty chooses among
   them; see `selection.py`.
2. A logistic regression with an L2 penalty is fitted to these alone, within the signs and orders that the user allows;
   see `weights.py`.
3. Its weights are scaled to whole points, as coarse as the AUC allows (`ROUNDING_COST`). Rules without points are
   dropped, and the others fitted again.

Everything is deterministic for the same facts and the same seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.metrics import roc_auc_score

from cli.learning.checks import NothingToLearn, check
from cli.learning.facts import Facts, Flags, Limits, Numbers, Vector
from cli.learning.kinds import Kind
from cli.learning.recency import FOREVER, Recency, scores_of
from cli.learning.selection import Candidate, Choice, Constraints, choose
from cli.learning.weights import weights_of

SCALES = (10, 20, 30, 50, 100)
"""The points of the heaviest rule, coarsest first."""
FINER = 10
"""How much finer points are if they decay, because the engine rounds at every midnight."""
ROUNDING_COST = 0.001
"""Largest loss of AUC that makes a coarser scale the better one."""

Points = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FittedRule:
    """A fitted rule: `points` for each event of a kind, within its limits; or for an attribute."""

    kind: Kind
    limits: Limits
    points: int


@dataclass(frozen=True, slots=True)
class Scorecard:
    """What was learnt, and how well it separates the leads that it was learnt from.

    Attributes:
        event_rules: The rules for events, heaviest first.
        attribute_rules: The rules for attributes, heaviest first.
        recency: How the score loses points.
        scores: The score of each lead of the sample at its landmark, by the rules for events.
        fits: The points of each lead by the rules for attributes.
        converted: Whether each lead converted.
        weights: How many leads each lead stands for.
        auc: The AUC of these leads by the sum of both. It flatters, because the leads are those of the fit.
        exact_auc: The same before rounding.
        time_auc: The AUC of later leads, by regressions that were fitted to earlier ones of these leads.
    """

    event_rules: tuple[FittedRule, ...]
    attribute_rules: tuple[FittedRule, ...]
    recency: Recency
    scores: Points
    fits: Points
    converted: Flags
    weights: Vector
    auc: float
    exact_auc: float
    time_auc: float


def fit(facts: Facts, *, max_rules: int, seed: int, constraints: Constraints) -> Scorecard:
    """Fits a scorecard of at most `max_rules` rules.

    Raises:
        NothingToLearn: Too few leads converted or did not, or nothing tells them apart.
    """
    check(facts)
    choice = choose(facts, max_rules, seed, constraints)
    if choice is None:
        raise NothingToLearn(
            "the leads that converted all began at about the same time, so nothing can be judged by later leads: "
            "collect events for longer"
        )
    rules = choice.candidates
    while rules:
        found = _Attempt.of(facts, rules, choice.recency, constraints)
        if all(found.points):
            return found.scorecard(choice)
        rules = [rule for rule, points in zip(rules, found.points, strict=True) if points]
    raise NothingToLearn("no kind of event tells the leads apart: choose a later landmark, or name a --property")


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Rules with their points; a rule whose points are 0 is none."""

    facts: Facts
    rules: Sequence[Candidate]
    columns: Numbers
    points: Points
    exact_auc: float

    @classmethod
    def of(cls, facts: Facts, rules: Sequence[Candidate], recency: Recency, constraints: Constraints) -> "_Attempt":
        columns = rule_columns(facts, rules)
        matrix = rule_matrix(facts, rules, columns, recency)
        weights = weights_of(matrix, facts, rules, constraints)
        exact_auc = _auc(facts, matrix @ weights)
        scales = [scale * (1 if recency == FOREVER else FINER) for scale in SCALES]
        return cls(facts, rules, columns, _rounded(facts, matrix, weights, scales, exact_auc), exact_auc)

    def scorecard(self, choice: Choice) -> Scorecard:
        facts, counted = self.facts, self.columns >= 0
        scores = scores_of(
            facts.rows,
            np.where(counted, self.points[self.columns], 0),
            facts.ticks(choice.recency),
            facts.leads,
            choice.recency,
        )
        fits = (facts.attributes[:, [rule.kind for rule in self.rules]] @ self.points).astype(np.int64)
        fitted = [
            FittedRule(facts.kinds[rule.kind], rule.limits, int(points))
            for rule, points in zip(self.rules, self.points, strict=True)
        ]
        fitted.sort(key=lambda rule: (-abs(rule.points), rule.kind.subject))
        return Scorecard(
            event_rules=tuple(rule for rule in fitted if rule.kind.event_type),
            attribute_rules=tuple(rule for rule in fitted if not rule.kind.event_type),
            recency=choice.recency,
            scores=scores,
            fits=fits,
            converted=facts.converted,
            weights=facts.weights,
            auc=_auc(facts, scores + fits),
            exact_auc=self.exact_auc,
            time_auc=choice.time_auc,
        )


def rule_columns(facts: Facts, rules: Sequence[Candidate]) -> Numbers:
    """Returns the number of the rule that gives points for each event, as the engine does; -1 for none.

    The first rule that matches decides, and special rules come first: events of a special kind without a rule belong to
    the rule for all other events of their type, if there is one.
    """
    numbers = {facts.kinds[rule.kind]: number for number, rule in enumerate(rules)}
    rule_of = [numbers.get(kind, numbers.get(Kind(kind.event_type), -1)) for kind in facts.kinds if kind.event_type]
    first = np.array([*rule_of, *[-1] * (len(facts.kinds) - len(rule_of)), -1], dtype=np.int32)[facts.codes]
    columns = np.full(len(first), -1, dtype=np.int32)
    for limits in sorted({rule.limits for rule in rules}):
        mine = np.array([rule.limits == limits for rule in rules] + [False])
        within = facts.within(np.where(mine[first], first, -1).astype(np.int32), limits)
        columns = np.maximum(columns, within)
    return columns


def rule_matrix(facts: Facts, rules: Sequence[Candidate], columns: Numbers, recency: Recency) -> sparse.csc_matrix:
    """Returns what each rule (column) counts of each lead (row) at its landmark."""
    events = facts.matrix(columns, len(rules), facts.left(recency))
    return (events + facts.attributes[:, [rule.kind for rule in rules]]).tocsc()


def _auc(facts: Facts, scores: Vector | Points) -> float:
    return float(roc_auc_score(facts.converted, scores))


def _rounded(
    facts: Facts, matrix: sparse.csc_matrix, weights: Vector, scales: Sequence[int], exact_auc: float
) -> Points:
    """Returns whole points, of the coarsest scale that costs at most `ROUNDING_COST` of AUC, or else of the finest."""
    heaviest = np.abs(weights).max()
    points = np.zeros(len(weights), dtype=np.int64)
    if not heaviest:
        return points
    for scale in scales:
        points = np.rint(weights / heaviest * scale).astype(np.int64)
        if exact_auc - _auc(facts, matrix @ points) <= ROUNDING_COST:
            break
    return points
