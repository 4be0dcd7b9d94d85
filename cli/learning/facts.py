"""What was known about leads at a landmark: how often each kind of event had happened, as sparse matrices."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from cli.learning.histories import Seen
from shared.outcomes import Outcome, Question

IDENTIFY = "identify"
"""Sets attributes and is no sign of interest, so no rule is learnt for it."""
MAX_VALUES = 10
"""Texts of a property that get a rule of their own, most frequent first; the other events share one."""
QUANTILES = (0.25, 0.5, 0.75)
"""Where the numbers of a property are divided."""

Vector = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int32]


class Kind(NamedTuple):
    """Events that one rule can count: those of a type, or those of them with certain values of a property.

    `text` is the value, or the numbers are `at_least` and `less_than` these; all are None for the events of a type that
    no other kind counts.
    """

    event_type: str
    property: str = ""
    text: str | None = None
    at_least: float | None = None
    less_than: float | None = None

    def holds(self, value: object) -> bool:
        """Returns whether a value of the property belongs to this kind."""
        if self.text is not None:
            return value == self.text
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (self.at_least is None or value >= self.at_least) and (self.less_than is None or value < self.less_than)


@dataclass(frozen=True, slots=True)
class Facts:
    """Leads whose outcome came after the landmark, ordered by when they began.

    Attributes:
        kinds: What the columns count.
        counts: How often each lead (row) had an event of each kind (column) before the landmark.
        days: On how many days.
        converted: Whether each lead converted.
        first: When the first of the leads began.
        last: When the last of the leads began.
    """

    kinds: tuple[Kind, ...]
    counts: sparse.csr_matrix
    days: sparse.csr_matrix
    converted: npt.NDArray[np.bool_]
    first: datetime
    last: datetime


@dataclass(slots=True)
class Collector:
    """Collects facts, lead by lead, in memory that grows by twelve bytes with each event.

    Attributes:
        question: What to learn; its first landmark counts, and only leads that began before `train_before`.
        observed_until: The time of the last event of all leads.
        time_zone: Where days begin.
        splits: The property by whose value the events of a type are told apart, by type.
        left_out: The leads that nothing can be learnt from.
        began_later: How many leads began at `train_before` or later.
    """

    question: Question
    observed_until: datetime
    time_zone: tzinfo
    splits: Mapping[str, str] = field(default_factory=dict)
    left_out: Counter[Outcome] = field(default_factory=Counter)
    began_later: int = 0
    _began: list[datetime] = field(default_factory=list)
    _converted: list[bool] = field(default_factory=list)
    _columns: dict[str, int] = field(default_factory=dict)
    _events: tuple["array[int]", "array[int]", "array[int]"] = field(
        default_factory=lambda: (array("i"), array("i"), array("i"))
    )
    """Row, column and day of each event."""
    _told_apart: defaultdict[str, list[tuple[int, int, Any]]] = field(default_factory=lambda: defaultdict(list))
    """Row, day and value of the property of each event of the types in `splits`."""

    @property
    def leads(self) -> int:
        """The number of leads collected."""
        return len(self._began)

    def add(self, events: Sequence[Seen]) -> None:
        """Adds a lead, unless it began too late, or its outcome is unknown or was known at the landmark."""
        if not events:
            return
        began = events[0].time
        if self.question.train_before is not None and began >= self.question.train_before:
            self.began_later += 1
            return
        landmark = began + self.question.landmarks[0]
        decision = self.question.decision((each.event_type, each.time) for each in events)
        outcome = self.question.outcome(decision, landmark, self.observed_until)
        if outcome not in {Outcome.CONVERTED, Outcome.NOT_CONVERTED}:
            self.left_out[outcome] += 1
            return
        row = len(self._began)
        self._began.append(began)
        self._converted.append(outcome is Outcome.CONVERTED)
        for each in events:
            if each.time < landmark and each.event_type != IDENTIFY:
                self._add_event(row, each)

    def facts(self) -> Facts:
        """Returns the facts about all leads; there must be one at least."""
        kinds = [Kind(event_type) for event_type in self._columns]
        for event_type, found in self._told_apart.items():
            others = len(kinds)
            kinds.append(Kind(event_type))
            own = _kinds(event_type, self.splits[event_type], [value for _, _, value in found])
            kinds += own
            for row, day, value in found:
                place = next((place for place, kind in enumerate(own) if kind.holds(value)), -1)
                self._append(row, others + 1 + place, day)
        order = np.argsort(np.array([began.timestamp() for began in self._began]), kind="stable")
        rows, columns, days = (np.frombuffer(each, dtype=np.int32) for each in self._events)
        dates = np.unique(np.stack([rows, columns, days], axis=1), axis=0)
        shape = self.leads, len(kinds)
        return Facts(
            tuple(kinds),
            _counted(rows, columns, shape)[order],
            _counted(dates[:, 0], dates[:, 1], shape)[order],
            np.array(self._converted)[order],
            min(self._began),
            max(self._began),
        )

    def _add_event(self, row: int, event: Seen) -> None:
        day = event.time.astimezone(self.time_zone).toordinal()
        split = self.splits.get(event.event_type)
        if split is None:
            self._append(row, self._columns.setdefault(event.event_type, len(self._columns)), day)
        else:
            self._told_apart[event.event_type].append((row, day, event.properties.get(split)))

    def _append(self, *values: int) -> None:
        for each, value in zip(self._events, values, strict=True):
            each.append(value)


def named(splits: Iterable[str]) -> dict[str, str]:
    """Returns the properties that are named `TYPE:PROPERTY`, by type.

    Raises:
        ValueError: A name has another form, or a type is named twice.
    """
    found = dict[str, str]()
    for name in splits:
        event_type, colon, prop = name.rpartition(":")
        if not (event_type and colon and prop):
            raise ValueError(f"{name!r} is not TYPE:PROPERTY")
        if event_type in found:
            raise ValueError(f"{event_type!r} is named twice: its events can be told apart by one property only")
        found[event_type] = prop
    return found


def _kinds(event_type: str, prop: str, values: Sequence[object]) -> list[Kind]:
    """Returns disjoint kinds of the values of a property: its most frequent texts, and ranges of its numbers."""
    texts = Counter(value for value in values if isinstance(value, str))
    kinds = [Kind(event_type, prop, text=text) for text, _ in texts.most_common(MAX_VALUES)]
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if not numbers:
        return kinds
    inner = sorted({float(f"{bound:.3g}") for bound in np.quantile(numbers, QUANTILES)})
    bounds: list[float | None] = [None, *inner, None]
    return kinds + [Kind(event_type, prop, at_least=low, less_than=high) for low, high in pairwise(bounds)]


def _counted(
    rows: "npt.NDArray[np.int32]", columns: "npt.NDArray[np.int32]", shape: tuple[int, int]
) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape)
