"""Fits the weights of rules that have been chosen: a logistic regression with an L2 penalty, within signs and orders.

Orders are turned into signs: the weights of ranges in order are the sums of steps that must not be negative.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit

from cli.learning.facts import Facts, Vector
from cli.learning.selection import Candidate, Constraints, scaled

RIDGE = 50.0
"""Strength of the penalty, for weights of columns with a standard deviation of 1."""
Bounds = tuple[float | None, float | None]


def weights_of(matrix: sparse.csc_matrix, facts: Facts, rules: Sequence[Candidate], constraints: Constraints) -> Vector:
    """Returns the weight of each rule, given what it counts (column) of each lead (row)."""
    scaled_matrix, deviations = scaled(matrix)
    steps, bounds = _steps(facts, rules, constraints)
    # The solver needs variables of about the same size: steps times deviations give weights of scaled columns.
    sizes = np.where(deviations > 0, deviations, 1)
    to_weights = sparse.diags(deviations) @ steps @ sparse.diags(1 / sizes)
    target = facts.converted.astype(np.float64)

    def loss(given: Vector) -> tuple[float, Vector]:
        weights = to_weights @ given[1:]
        margins = scaled_matrix @ weights + given[0]
        errors = expit(margins) - target
        value = float(np.logaddexp(0, margins).sum() - target @ margins + RIDGE / 2 * weights @ weights)
        return value, np.concatenate([[errors.sum()], to_weights.T @ (scaled_matrix.T @ errors + RIDGE * weights)])

    found = minimize(loss, np.zeros(len(rules) + 1), jac=True, bounds=[(None, None), *bounds], method="L-BFGS-B")
    weights: Vector = steps @ (found.x[1:] / sizes)
    return weights


def _steps(
    facts: Facts, rules: Sequence[Candidate], constraints: Constraints
) -> tuple[sparse.csr_matrix, list[Bounds]]:
    """Returns the matrix that turns steps (columns) into weights (rows), and the bounds of the steps."""
    steps, bounds = np.eye(len(rules)), list[Bounds]()
    for rule in rules:
        sign = constraints.sign(facts.kinds[rule.kind])
        bounds.append((0 if sign > 0 else None, 0 if sign < 0 else None))
    for ascending in _in_order(facts, rules, constraints):
        falls = bounds[ascending[0]][1] == 0
        # The weights rise from the first one, or fall from the last one, if none may be positive.
        anchor, *others = ascending[::-1] if falls else ascending
        below = [anchor]
        for number in others:
            steps[number, below] = 1
            bounds[number] = (None, 0) if falls else (0, None)
            below.append(number)
    return sparse.csr_matrix(steps), bounds


def _in_order(facts: Facts, rules: Sequence[Candidate], constraints: Constraints) -> list[list[int]]:
    """Returns the rules whose weights must not fall from one to the next, each time those of one subject."""
    found: dict[str, list[int]] = {}
    for number, rule in enumerate(rules):
        kind = facts.kinds[rule.kind]
        if constraints.order(kind):
            found.setdefault(kind.subject, []).append(number)
    for numbers in found.values():
        numbers.sort(key=lambda number: facts.kinds[rules[number].kind].lowest)
        if constraints.order(facts.kinds[rules[numbers[0]].kind]) < 0:
            numbers.reverse()
    return list(found.values())
