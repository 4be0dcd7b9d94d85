"""How well scores predict conversion: rates and lift per stage and decile, and the area under the ROC curve.

It keeps counts per score, so memory does not grow with the number of leads.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

DECILES = 10


@dataclass(frozen=True, slots=True)
class ConversionRate:
    """How many leads of a group convert. Counts can be fractions: equal scores are split between deciles."""

    name: str
    leads: float
    converted: float
    lift: float

    @property
    def rate(self) -> float:
        """The share of leads that convert, 0 to 1; 0 if there are no leads."""
        return self.converted / self.leads if self.leads else 0.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well scores ranked leads that had not converted yet. `auc` is None if all of them convert, or none."""

    leads: int
    converted: int
    converted_before: int
    auc: float | None
    stages: tuple[ConversionRate, ...]
    deciles: tuple[ConversionRate, ...]


@dataclass(slots=True)
class RankingTally:
    """Counts leads by their score."""

    leads: Counter[int] = field(default_factory=Counter)
    converted: Counter[int] = field(default_factory=Counter)
    converted_before: int = 0

    def add(self, score: int, *, converts: bool) -> None:
        """Counts a lead with its score at the landmark, and whether it converted later."""
        self.leads[score] += 1
        self.converted[score] += converts

    def add_all(self, other: "RankingTally") -> None:
        """Adds the counts of other leads."""
        self.leads.update(other.leads)
        self.converted.update(other.converted)
        self.converted_before += other.converted_before

    def leave_out(self) -> None:
        """Counts a lead that had converted before the landmark: there is nothing left to predict."""
        self.converted_before += 1

    def ranking(self, stages: Sequence[str], stage_of: Callable[[int], str]) -> Ranking:
        """Returns the ranking of the leads counted so far; `stages` are all stages in order."""
        leads, converted = self.leads.total(), self.converted.total()
        base = converted / leads if leads else 0.0
        return Ranking(
            leads=leads,
            converted=converted,
            converted_before=self.converted_before,
            auc=self._auc(leads, converted),
            stages=tuple(self._by_stage(stages, stage_of, base)),
            deciles=tuple(self._by_decile(leads, base)),
        )

    def _auc(self, leads: int, converted: int) -> float | None:
        """Returns the Mann-Whitney statistic, with midranks for ties, divided by the number of pairs."""
        if not 0 < converted < leads:
            return None
        below, wins = 0, 0.0
        for score in sorted(self.leads):
            positive = self.converted[score]
            negative = self.leads[score] - positive
            wins += positive * (below + negative / 2)
            below += negative
        return wins / (converted * (leads - converted))

    def _by_stage(self, stages: Sequence[str], stage_of: Callable[[int], str], base: float) -> Iterator[ConversionRate]:
        found = {
            stage: tuple(sum(counts[score] for score in scores) for counts in (self.leads, self.converted))
            for stage, scores in _grouped(sorted(self.leads), stage_of)
        }
        for stage in stages:
            leads, converted = found.get(stage, (0, 0))
            yield _rate(stage, leads, converted, base)

    def _by_decile(self, total: int, base: float) -> Iterator[ConversionRate]:
        """Yields deciles from the highest score down; leads with equal scores at a border are split evenly.

        It counts in tenths of a lead, so each decile is a whole number and rounding leaves no remainder.
        """
        scores, left, rate = iter(sorted(self.leads, reverse=True)), 0, 0.0
        for decile in range(1, DECILES + 1):
            tenths, converted = 0, 0.0
            while tenths < total:
                if not left:
                    score = next(scores)
                    left, rate = self.leads[score] * DECILES, self.converted[score] / self.leads[score]
                taken = min(left, total - tenths)
                tenths, converted, left = tenths + taken, converted + taken * rate, left - taken
            yield _rate(str(decile), tenths / DECILES, converted / DECILES, base)


def _grouped(scores: Sequence[int], stage_of: Callable[[int], str]) -> Iterator[tuple[str, list[int]]]:
    for stage, group in groupby(scores, stage_of):
        yield stage, list(group)


def _rate(name: str, leads: float, converted: float, base: float) -> ConversionRate:
    lift = converted / leads / base if leads and base else 0.0
    return ConversionRate(name, leads, converted, lift)
