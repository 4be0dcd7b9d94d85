"""The figures of a run, as a table for people and as JSON."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit that a figure should reach: of its value, or of its ratio to the reference."""

    limit: float
    of: str
    """`value` or `ratio`."""
    at_least: bool
    """Whether more is better."""

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{'ratio ' if self.of == 'ratio' else ''}{sign} {number(self.limit)}"

    def is_met(self, value: float) -> bool:
        """Returns whether a value, or a ratio, reaches the goal."""
        return value >= self.limit if self.at_least else value <= self.limit


def at_least(limit: float) -> Goal:
    """Returns the goal that a value is not below a limit."""
    return Goal(limit, "value", at_least=True)


def at_most(limit: float) -> Goal:
    """Returns the goal that a value is not above a limit."""
    return Goal(limit, "value", at_least=False)


def share_of_reference(limit: float) -> Goal:
    """Returns the goal that the ratio to the reference is not below a limit."""
    return Goal(limit, "ratio", at_least=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure: one value per round, and the values of the reference in the same rounds."""

    name: str
    unit: str
    values: Sequence[float]
    reference: str = ""
    """What the reference is; empty if there is none."""
    references: Sequence[float] = ()
    goal: Goal | None = None
    note: str = ""

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    @property
    def reference_value(self) -> float | None:
        """The median of the reference, or None if there is none."""
        return statistics.median(self.references) if self.references else None

    @property
    def ratio(self) -> float | None:
        """The value divided by the reference; None without a reference.

        The median of the ratios of each round, because both halves of a round see the same machine. If there are not as
        many values as references, the ratio of the medians.
        """
        if not self.references:
            return None
        if len(self.values) == len(self.references):
            return statistics.median(one / other for one, other in zip(self.values, self.references, strict=True))
        return self.value / statistics.median(self.references)

    @property
    def is_met(self) -> bool | None:
        """Whether the figure reaches its goal; None without a goal."""
        if self.goal is None:
            return None
        judged = self.ratio if self.goal.of == "ratio" else self.value
        return judged is not None and self.goal.is_met(judged)


def to_json(figures: Sequence[Figure], run: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of `bench.json`: what is known about the run, and every figure with all its rounds."""
    return {"run": dict(run), "figures": [_figure(each) for each in figures]}


def table(figures: Sequence[Figure]) -> str:
    """Returns a Markdown table that is also readable as plain text, with the notes below it."""
    header = ("figure", "measured", "reference", "ratio", "goal", "met")
    rows = [header, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    notes = dict.fromkeys(f"* {each.name}: {each.note}" for each in figures if each.note)
    return "\n".join([*lines, "", *notes]).rstrip() + "\n"


def percentile(values: Sequence[float], percent: int) -> float:
    """Returns a percentile by the nearest rank; 0 for no values."""
    return sorted(values)[min(len(values) * percent // 100, len(values) - 1)] if values else 0.0


def number(value: float) -> str:
    """Returns a number with about three significant digits."""
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 0.1 else 4
    return f"{value:,.{digits}f}"


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "unit": figure.unit,
        "value": figure.value,
        "values": list(figure.values),
        "reference": figure.reference,
        "reference_value": figure.reference_value,
        "reference_values": list(figure.references),
        "ratio": figure.ratio,
        "goal": str(figure.goal) if figure.goal else None,
        "met": figure.is_met,
        "note": figure.note,
    }


def _row(figure: Figure) -> tuple[str, ...]:
    reference = "" if figure.reference_value is None else f"{number(figure.reference_value)} ({figure.reference})"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    met = {None: "", True: "yes", False: "no"}[figure.is_met]
    return (figure.name, f"{number(figure.value)} {figure.unit}", reference, ratio, str(figure.goal or ""), met)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
