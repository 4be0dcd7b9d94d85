"""Validates the calibration of a model: finds every mistake, each with its path in the model."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from scoring_service.domain.calibration import Calibration, CalibrationStep
from scoring_service.domain.flaws import Flaw, count_flaws, span_flaws

MAX_STEPS = 100
MAX_LEADS = 10**12
LONGEST_SPAN = timedelta(days=3_650)


def calibration_flaws(calibration: Calibration, score_ceiling: int) -> Iterator[Flaw]:
    """Yields every mistake of a calibration of a model whose scores end at the ceiling."""
    yield from span_flaws("calibration.landmark", calibration.landmark, LONGEST_SPAN, positive=True)
    if calibration.horizon is not None:
        yield from span_flaws("calibration.horizon", calibration.horizon, LONGEST_SPAN, positive=True)
    yield from count_flaws("calibration.steps", len(calibration.steps), MAX_STEPS, least=1)
    for index, step in enumerate(calibration.steps):
        yield from _step(f"calibration.steps[{index}]", step)
    for index, (below, step) in enumerate(pairwise(calibration.steps), 1):
        yield from _order(f"calibration.steps[{index}]", below, step, score_ceiling)
    found = sum(step.leads for step in calibration.steps)
    if calibration.leads != found:
        yield Flaw("calibration.lead_count", f"is {calibration.leads:,}, must be the sum of the steps', {found:,}")


def _step(path: str, step: CalibrationStep) -> Iterator[Flaw]:
    if not 0 <= step.probability <= 1:
        yield Flaw(f"{path}.probability", f"is {step.probability:g}, must be 0 to 1")
    if not 0 <= step.low <= step.probability:
        yield Flaw(f"{path}.low", f"is {step.low:g}, must be 0 to the probability, {step.probability:g}")
    if not step.probability <= step.high <= 1:
        yield Flaw(f"{path}.high", f"is {step.high:g}, must be the probability, {step.probability:g}, to 1")
    if not 1 <= step.leads <= MAX_LEADS:
        yield Flaw(f"{path}.lead_count", f"is {step.leads}, must be 1 to {MAX_LEADS:,}")


def _order(path: str, below: CalibrationStep, step: CalibrationStep, score_ceiling: int) -> Iterator[Flaw]:
    if step.minimum_score <= below.minimum_score:
        yield Flaw(f"{path}.minimum_score", f"is {step.minimum_score}, must be above {below.minimum_score}")
    elif step.minimum_score > score_ceiling:
        above = f"is {step.minimum_score}, above the ceiling, {score_ceiling}: no score can reach it"
        yield Flaw(f"{path}.minimum_score", above)
    if step.probability < below.probability:
        higher = "a higher score must not have a lower probability"
        yield Flaw(f"{path}.probability", f"is {step.probability:g}, below {below.probability:g}: {higher}")
