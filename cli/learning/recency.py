"""Recency: scores that lose points with time, as the decay of a model makes them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

WHOLE = 1_000_000


class Recency(NamedTuple):
    """After `grace_days` without an event, each midnight leaves what halves the score in `half_life_days`; 0: never."""

    half_life_days: int = 0
    grace_days: int = 1

    @property
    def millionths(self) -> int:
        """What a midnight leaves of a score, as the engine rounds it."""
        return round(WHOLE * 0.5 ** (1 / self.half_life_days)) if self.half_life_days else WHOLE

    @property
    def retained(self) -> float:
        """What a midnight leaves of a score: 0 to 1."""
        return self.millionths / WHOLE


FOREVER = Recency()
RECENCIES = (FOREVER, *(Recency(days) for days in (3, 7, 14, 30)))
"""What is tried, from none to slow."""


def scores_of(
    rows: npt.NDArray[np.int32],
    points: npt.NDArray[np.int64],
    ticks: npt.NDArray[np.int32],
    leads: int,
    recency: Recency,
) -> npt.NDArray[np.int64]:
    """Returns the scores at the landmark as the engine computes them, which rounds toward 0 at every midnight.

    Args:
        rows: The lead of each event, in the order of their times.
        points: What each event gives.
        ticks: How many midnights with decay follow each event.
        leads: The number of leads.
        recency: How scores lose points.
    """
    scores = np.zeros(leads, dtype=np.int64)
    if recency == FOREVER:
        np.add.at(scores, rows, points)
        return scores
    for row, given, times in zip(rows.tolist(), points.tolist(), ticks.tolist(), strict=True):
        score = int(scores[row]) + given
        for _ in range(times):
            if not score:
                break
            left = abs(score) * recency.millionths // WHOLE
            score = left if score > 0 else -left
        scores[row] = score
    return scores
