"""The results of a simulation, in memory that does not grow with the number of leads."""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from leadscore.scoring.v1 import scoring_pb2 as pb

GRADES = ("A", "B", "C", "D")

_STEPS = (1, 2, 5)


@dataclass(slots=True)
class Simulation:
    """The results of a simulation: the leads with the largest changes, and counts of all leads."""

    before: pb.ScoringModel
    after: pb.ScoringModel
    source: str
    """The argument that named the simulated model: a file or a version."""
    limit: int
    """Maximum number of leads to keep."""
    leads_total: int = 0
    summary: pb.SimulationSummary = field(default_factory=pb.SimulationSummary)
    largest: list[pb.LeadDifference] = field(default_factory=list)
    """The leads whose scores change most, largest change first."""
    changes: Counter[int] = field(default_factory=Counter)
    """Number of leads per `bucket` of the change of their score."""
    automations: Counter[str] | None = field(default_factory=Counter)
    """Number of leads for which each automation rule would fire; None if it is unknown."""

    def add(self, answer: pb.SimulateScoringModelResponse) -> None:
        """Adds the next message of the stream."""
        self.leads_total = answer.leads_total
        self.changes.update(bucket(change_of(each)) for each in answer.differences)
        candidates = chain(self.largest, answer.differences)
        self.largest = heapq.nsmallest(self.limit, candidates, key=lambda each: (-abs(change_of(each)), each.lead_id))
        if answer.HasField("summary"):
            self.summary = answer.summary


def change_of(difference: pb.LeadDifference) -> int:
    """Returns the change of a score, in points."""
    return difference.score_after - difference.score_before


def bucket(change: int) -> int:
    """Returns the bucket of a change, named by its bound nearest to 0: 0, 1, 2, 5, 10, 20, … or the negative."""
    lowest = max(_starts(abs(change)), default=0)
    return lowest if change > 0 else -lowest


def buckets(counts: Iterable[int]) -> list[int]:
    """Returns all buckets from the lowest to the highest of `counts`, in order, including empty ones."""
    found = list(counts)
    lowest, highest = min(found, default=0), max(found, default=0)
    starts = [0, *_starts(max(-lowest, highest))]
    return [each for each in (*(-start for start in starts[:0:-1]), *starts) if lowest <= each <= highest]


def label_of(start: int) -> str:
    """Returns the label of a bucket, such as `+20 to +49`."""
    size = abs(start)
    end = (size * 5 // 2 if str(size).startswith("2") else 2 * size) - 1
    sign = "-" if start < 0 else "+"
    return f"{start:+,}" if end <= size else f"{start:+,} to {sign}{end:,}"


def _starts(limit: int) -> list[int]:
    return [step * 10**power for power in range(len(str(limit))) for step in _STEPS if step * 10**power <= limit]


class Matrix(NamedTuple):
    """The number of leads that move from each name (row) to each name (column)."""

    rows: list[str]
    columns: list[str]
    counts: list[list[int]]

    @property
    def limit(self) -> int:
        """The largest count."""
        return max((count for row in self.counts for count in row), default=0)


def stage_matrix(simulation: Simulation) -> Matrix:
    """Returns the moves between stages, each axis in the order of its model's stages."""
    before, after = ([stage.stage for stage in model.stages] for model in (simulation.before, simulation.after))
    return _matrix(simulation.summary.stages, before, after)


def grade_matrix(simulation: Simulation) -> Matrix | None:
    """Returns the moves between fit grades; None if no lead has a grade in either model."""
    migrations = simulation.summary.fit_grades
    if not any(each.before or each.after for each in migrations):
        return None
    return _matrix(migrations, GRADES if simulation.before.HasField("fit") else (), GRADES)


def _matrix(migrations: Iterable[pb.Migration], before: Sequence[str], after: Sequence[str]) -> Matrix:
    counts = {(each.before, each.after): each.lead_count for each in migrations}
    # Another model may have been published since, so the answer may contain names unknown to these two.
    rows = list(dict.fromkeys((*before, *(old for old, _ in counts))))
    columns = list(dict.fromkeys((*after, *(new for _, new in counts))))
    return Matrix(rows, columns, [[counts.get((old, new), 0) for new in columns] for old in rows])
