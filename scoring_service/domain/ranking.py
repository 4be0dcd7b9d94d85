"""How well scores rank leads by whether they convert: AUC, average precision, and rates and lift in groups.

It works on the number of leads per score, so its cost depends on how many different scores there are.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from scoring_service.domain.calibration import Calibration, Reliability, reliability_of
from scoring_service.domain.discrimination import Auc, auc_of

DECILES = 10
SMALLEST_SHARE = 200
"""Neighbouring scores share a range while together they have less than one lead in so many."""


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
class ScoreRange:
    """How many leads have the scores from `minimum` to below that of the next range, and how many of them convert."""

    minimum: int
    leads: int
    converted: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well the scores of a model rank leads.

    `auc` and `average_precision` are None if all leads convert, or none. The average precision is the mean of the share
    of converted leads among those with at least the same score, over all converted leads; chance gives the base rate.
    `ranges` have all leads, lowest scores first, in at most 400 ranges however many scores there are.
    `reliability` is None if the model has no probabilities, or if there are no leads.
    """

    leads: int
    converted: int
    auc: Auc | None
    average_precision: float | None
    stages: tuple[ConversionRate, ...]
    deciles: tuple[ConversionRate, ...]
    ranges: tuple[ScoreRange, ...]
    reliability: Reliability | None


def ranking_of(
    converted: Mapping[int, int],
    others: Mapping[int, int],
    stages: Sequence[str],
    stage_of: Callable[[int], str],
    calibration: Calibration | None = None,
) -> Ranking:
    """Returns the ranking of leads counted by score; `stages` are all stages in order."""
    auc = auc_of(converted, others)
    reliability = reliability_of(calibration, converted, others) if calibration else None
    scores = _Scores(Counter(converted), Counter(converted) + Counter(others))
    return scores.ranking(auc, reliability, stages, stage_of)


@dataclass(frozen=True, slots=True)
class _Scores:
    """The number of leads with each score, and of those that convert."""

    converted: Counter[int]
    leads: Counter[int]

    def ranking(
        self,
        auc: Auc | None,
        reliability: Reliability | None,
        stages: Sequence[str],
        stage_of: Callable[[int], str],
    ) -> Ranking:
        leads, converted = self.leads.total(), self.converted.total()
        base = converted / leads if leads else 0.0
        return Ranking(
            leads=leads,
            converted=converted,
            auc=auc,
            average_precision=self._average_precision(converted) if auc else None,
            stages=tuple(self._by_stage(stages, stage_of, base)),
            deciles=tuple(self._by_decile(leads, base)),
            ranges=tuple(self._ranges(leads)),
            reliability=reliability,
        )

    def _average_precision(self, converted: int) -> float:
        leads_above, converted_above, found = 0, 0, 0.0
        for score in sorted(self.leads, reverse=True):
            leads_above += self.leads[score]
            converted_above += self.converted[score]
            found += self.converted[score] * converted_above / leads_above
        return found / converted

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

    def _ranges(self, total: int) -> Iterator[ScoreRange]:
        found: ScoreRange | None = None
        for score in sorted(self.leads):
            leads, converted = self.leads[score], self.converted[score]
            if found is not None and (found.leads + leads) * SMALLEST_SHARE < total:
                found = ScoreRange(found.minimum, found.leads + leads, found.converted + converted)
                continue
            if found is not None:
                yield found
            found = ScoreRange(score, leads, converted)
        if found is not None:
            yield found


def _grouped(scores: Sequence[int], stage_of: Callable[[int], str]) -> Iterator[tuple[str, list[int]]]:
    for stage, group in groupby(scores, stage_of):
        yield stage, list(group)


def _rate(name: str, leads: float, converted: float, base: float) -> ConversionRate:
    lift = converted / leads / base if leads and base else 0.0
    return ConversionRate(name, leads, converted, lift)
