"""Fit: how well a lead fits by its attributes, as points, a grade, and a rating together with its score."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from shared.conditions import Condition, Test, all_of


@dataclass(frozen=True, slots=True)
class FitRule:
    """Gives `points` when a lead's attributes meet all conditions."""

    rule_id: str
    points: int
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Fit:
    """Turns attributes into a grade, and grade and score into a rating. Thresholds are minimums."""

    rules: tuple[FitRule, ...]
    grade_a_points: int
    grade_b_points: int
    grade_c_points: int
    level_1_score: int
    level_2_score: int

    def __getstate__(self) -> dict[str, Any]:
        """Returns the fields for a copy in another process: compiled tests are functions, which cannot be pickled."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _tests(self) -> tuple[tuple[Test | None, int], ...]:
        return tuple((all_of(rule.conditions), rule.points) for rule in self.rules)

    def of(self, attributes: Mapping[str, Any], score: int) -> "Fitness":
        """Returns how well a lead with these attributes fits, and its rating with a score."""
        points = sum(points for test, points in self._tests if test is None or test(attributes))
        thresholds = (("A", self.grade_a_points), ("B", self.grade_b_points), ("C", self.grade_c_points))
        grade = next((grade for grade, lowest in thresholds if points >= lowest), "D")
        level = 1 if score >= self.level_1_score else 2 if score >= self.level_2_score else 3
        return Fitness(points, grade, f"{grade}{level}")


@dataclass(frozen=True, slots=True)
class Fitness:
    """How well a lead fits: points, a grade A to D, and a rating A1 to D3; empty if the model has no fit rules."""

    points: int = 0
    grade: str = ""
    rating: str = ""


NO_FIT = Fitness()
