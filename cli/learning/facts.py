"""What was known about leads at a landmark: their events as arrays, and matrices of what rules count in them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from cli.learning.kinds import Kind, Value, kinds_of, words_of
from cli.learning.recency import FOREVER, Recency
from cli.learning.sample import Collector, Lead

Vector = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


class Limits(NamedTuple):
    """How often a rule can count for a lead: at most `times` in all, and at most `a_day` on a day if that is not 0."""

    times: int
    a_day: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """Leads whose outcome came after the landmark, ordered by when they began.

    Attributes:
        kinds: What rules can count.
        rows: The lead of each event; the events of a lead are in the order of their times.
        codes: The kind of each event, -1 for none.
        days: The date of each event.
        landmarks: The date of each lead's landmark.
        attributes: Which leads (rows) belong to which kind (column); kinds of events have empty columns.
        converted: Whether each lead converted.
        weights: How many leads each lead stands for.
    """

    kinds: tuple[Kind, ...]
    rows: Numbers
    codes: Numbers
    days: Numbers
    landmarks: Numbers
    attributes: sparse.csc_matrix
    converted: Flags
    weights: Vector

    @classmethod
    def of(cls, collector: Collector, kinds: Sequence[Kind] | None = None, without: Collection[str] = ()) -> "Facts":
        """Returns the facts about the leads that were collected, of these kinds.

        Default: all that occur, `without` those of some event types.
        """
        leads = collector.sample()
        if kinds is None:
            kinds = [kind for kind in _kinds(collector, leads) if kind.event_type not in without]
        known = tuple(kinds)
        lengths = np.array([len(lead.types) for lead in leads], dtype=np.int32)
        converted = np.array([lead.converted for lead in leads], dtype=np.bool_)
        weights = (collector.weight(converted=False), collector.weight(converted=True))
        return cls(
            kinds=known,
            rows=np.repeat(np.arange(len(leads), dtype=np.int32), lengths),
            codes=_codes(collector, leads, known),
            days=_joined(lead.days for lead in leads),
            landmarks=np.array([lead.landmark_day for lead in leads], dtype=np.int32),
            attributes=_attributes(leads, known),
            converted=converted,
            weights=np.where(converted, weights[1], weights[0]),
        )

    @property
    def leads(self) -> int:
        """The number of leads in the sample."""
        return len(self.converted)

    def every(self, step: int) -> "Facts":
        """Returns the facts about every second lead, or every third one and so on."""
        kept = np.arange(0, self.leads, step)
        mine = self.rows % step == 0
        return Facts(
            self.kinds,
            (self.rows[mine] // step).astype(np.int32),
            self.codes[mine],
            self.days[mine],
            self.landmarks[kept],
            self.attributes[kept],
            self.converted[kept],
            self.weights[kept],
        )

    def counts(self) -> sparse.csr_matrix:
        """Returns how often each lead (row) had an event of each kind, or whether it has the attribute (column)."""
        counted = self.matrix(self.codes, len(self.kinds), np.ones(len(self.rows)))
        return (counted + self.attributes).tocsr()

    def matrix(self, columns: Numbers, width: int, values: Vector) -> sparse.csc_matrix:
        """Returns the sums of `values` of events by lead (row) and column; events of column -1 do not count."""
        mine = columns >= 0
        entries = values[mine], (self.rows[mine], columns[mine])
        return sparse.csc_matrix(entries, shape=(self.leads, width), dtype=np.float64)

    def within(self, columns: Numbers, limits: Limits) -> Numbers:
        """Returns the columns, with -1 for the events that come after a column's limits are reached."""
        counted = columns
        if limits.a_day:
            counted = _first(counted, limits.a_day, self.rows, columns, self.days)
        return _first(counted, limits.times, self.rows, columns)

    def left(self, recency: Recency) -> Vector:
        """Returns how much of the points of each event is left at its lead's landmark: 0 to 1."""
        if recency == FOREVER:
            return np.ones(len(self.rows))
        following = np.cumsum(self.ticks(recency)[::-1])[::-1]
        ends = np.flatnonzero(self._is_last())
        of_later_leads = np.append(following, 0)[ends + 1]
        left: Vector = recency.retained ** (following - np.repeat(of_later_leads, np.diff(np.append(-1, ends))))
        return left

    def ticks(self, recency: Recency) -> Numbers:
        """Returns how many midnights with decay follow each event before its lead's next one, or its landmark."""
        following = np.where(self._is_last(), self.landmarks[self.rows], np.roll(self.days, -1))
        return np.maximum(0, following - self.days - recency.grace_days)

    def _is_last(self) -> Flags:
        last: Flags = np.diff(self.rows, append=-1) != 0
        return last


def _first(columns: Numbers, times: int, *keys: Numbers) -> Numbers:
    """Returns the columns, with -1 for all but the first events with the same keys that have a column."""
    mine = np.flatnonzero(columns >= 0)
    order = np.lexsort([mine.astype(np.int32), *(key[mine] for key in keys)])
    sorted_keys = [key[mine][order] for key in keys]
    new = np.ones(len(mine), dtype=np.bool_)
    new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in sorted_keys])
    places = np.arange(len(mine))
    ranks = places - np.maximum.accumulate(np.where(new, places, 0))
    found = columns.copy()
    found[mine[order[ranks >= times]]] = -1
    return found


def _joined(parts: Iterable[Sequence[int]]) -> Numbers:
    found = [np.frombuffer(part, dtype=np.int32) for part in parts if part]  # type: ignore[call-overload]  # an array
    return np.concatenate(found) if found else np.empty(0, dtype=np.int32)


def _kinds(collector: Collector, leads: Sequence[Lead]) -> list[Kind]:
    """Returns the kinds of all events and attributes that occur."""
    names = {number: name for name, number in collector.types.items()}
    values: defaultdict[str, list[Value]] = defaultdict(list)
    attributes: defaultdict[str, list[Value]] = defaultdict(list)
    for lead in leads:
        for position, value in lead.values.items():
            if lead.types[position] >= 0:
                values[names[lead.types[position]]].append(value)
        for name, value in lead.attributes.items():
            attributes[name].append(value)
    kinds = [Kind(event_type) for event_type in sorted(collector.types)]
    for event_type, found in sorted(values.items()):
        kinds += kinds_of(event_type, collector.splits[event_type], found)
    for name, found in sorted(attributes.items()):
        kinds += [*kinds_of("", name, found), *words_of(name, found)]
    return kinds


def _codes(collector: Collector, leads: Sequence[Lead], kinds: Sequence[Kind]) -> Numbers:
    """Returns the number of the kind of each event: of the special one that holds, or else of its type's."""
    numbers = {kind: number for number, kind in enumerate(kinds)}
    general = np.array([numbers.get(Kind(name), -1) for name in collector.types] + [-1], dtype=np.int32)
    codes = general[_joined(lead.types for lead in leads)]
    special: defaultdict[int, list[Kind]] = defaultdict(list)
    for kind in kinds:
        if kind.event_type and kind.prop and kind.event_type in collector.types:
            special[collector.types[kind.event_type]].append(kind)
    found: dict[tuple[int, type, Value], int] = {}
    start = 0
    for lead in leads:
        for position, value in lead.values.items():
            key = lead.types[position], type(value), value
            if key not in found:
                mine = (numbers[kind] for kind in special.get(key[0], ()) if kind.holds(value))
                found[key] = next(mine, -1)
            if found[key] >= 0:
                codes[start + position] = found[key]
        start += len(lead.types)
    return codes


def _attributes(leads: Sequence[Lead], kinds: Sequence[Kind]) -> sparse.csc_matrix:
    """Returns which leads have which kind of attribute."""
    mine: defaultdict[str, list[int]] = defaultdict(list)
    for number, kind in enumerate(kinds):
        if not kind.event_type:
            mine[kind.prop].append(number)
    rows, columns = list[int](), list[int]()
    held: dict[tuple[str, type, Value], list[int]] = {}
    for row, lead in enumerate(leads):
        for name, value in lead.attributes.items():
            key = name, type(value), value
            if key not in held:
                held[key] = [number for number in mine.get(name, ()) if kinds[number].holds(value)]
            rows += [row] * len(held[key])
            columns += held[key]
    return sparse.csc_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(leads), len(kinds)), dtype=np.float64)
