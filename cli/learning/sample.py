"""The leads that a model learns from: a bounded sample of those whose outcome came after the landmark.

Memory does not grow with the number of leads: of more than `MAX_EACH` leads that converted, or that did not, a random
sample is kept. Their weights say how many leads each stands for.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from heapq import heappush, heappushpop
from typing import Any, NamedTuple

from cli.learning.histories import History, Seen
from cli.learning.kinds import Scalar, Value
from cli.learning.leaks import LeakCounter
from shared.outcomes import Outcome, Question

IDENTIFY = "identify"
"""Sets attributes and is no sign of interest, so no rule is learnt for it."""
MAX_EACH = 50_000
"""Leads that converted, and leads that did not, that are learnt from."""
MAX_ATTRIBUTES = 64
"""Attributes of a lead that are learnt from, in the order of their names."""
MAX_TEXT = 256
"""Longer texts are not learnt from: the conditions of rules cannot be longer."""
MAX_ITEMS = 20
MAX_DEPTH = 3


class Lead(NamedTuple):
    """A lead as it was at its landmark.

    `types` are numbers of event types, -1 for those without rules, and `days` the dates of the events, which are in the
    order of their times. `values` are the values of the properties by which events are told apart, by position.
    """

    began: datetime
    converted: bool
    landmark_day: int
    types: "array[int]"
    days: "array[int]"
    values: Mapping[int, Value]
    attributes: Mapping[str, Value]


@dataclass(slots=True)
class Collector:
    """Collects leads, one by one.

    Attributes:
        question: What to learn; its first landmark counts.
        observed_until: The time of the last event of all leads.
        time_zone: Where days begin.
        splits: The property by whose value the events of a type are told apart, by type.
        attributes: The names of the attributes to learn from. None: all.
        seed: Chooses the sample.
        later: Whether to collect the leads that began at `train_before` or later, instead of those that began earlier.
        left_out: The leads that nothing can be learnt from.
        excluded_by_time: How many leads began on the other side of `train_before`.
        found: How many leads there are to learn from, by whether they converted.
        first: When the first of them began.
        last: When the last of them began.
        types: The numbers of the event types.
        leaks: What may be a part of the outcome.
    """

    question: Question
    observed_until: datetime
    time_zone: tzinfo = UTC
    splits: Mapping[str, str] = field(default_factory=dict)
    attributes: frozenset[str] | None = None
    seed: int = 0
    later: bool = False
    left_out: Counter[Outcome] = field(default_factory=Counter)
    excluded_by_time: int = 0
    observed: int = 0
    """How many leads were observed until their landmark."""
    found: Counter[bool] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    types: dict[str, int] = field(default_factory=dict)
    leaks: LeakCounter = field(default_factory=LeakCounter)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _kept: dict[bool, list[tuple[int, int, Lead]]] = field(default_factory=lambda: {True: [], False: []})

    @property
    def leads(self) -> int:
        """The number of leads that can be learnt from, in the sample or not."""
        return self.found.total()

    @property
    def digest(self) -> str:
        """The digest of the ids of these leads, in the order in which they were added."""
        return self._digest.hexdigest()[:16]

    def with_properties(self) -> frozenset[str]:
        """Returns the event types whose properties matter."""
        named = self.attributes is None or self.attributes
        return frozenset(self.splits) | ({IDENTIFY} if named else set())

    def add(self, history: History) -> None:
        """Adds a lead, unless it began too late, or its outcome is unknown or was known at the landmark."""
        lead_id, events = history
        if not events:
            return
        began = events[0].time
        if (self.question.train_before is not None and began >= self.question.train_before) is not self.later:
            self.excluded_by_time += 1
            return
        landmark = began + self.question.landmarks[0]
        self.observed += landmark <= self.observed_until
        decision = self.question.decision((each.event_type, each.time) for each in events)
        self.leaks.add(events, decision)
        outcome = self.question.outcome(decision, landmark, self.observed_until)
        if outcome not in {Outcome.CONVERTED, Outcome.NOT_CONVERTED}:
            self.left_out[outcome] += 1
            return
        self._keep(lead_id, events, landmark, converted=outcome is Outcome.CONVERTED)

    def sample(self) -> list[Lead]:
        """Returns the leads to learn from, in the order in which they began."""
        kept = (entry for found in self._kept.values() for entry in found)
        return [lead for _, _, lead in sorted(kept, key=lambda entry: (entry[2].began, entry[0]))]

    def weight(self, *, converted: bool) -> float:
        """Returns how many leads each lead of the sample stands for."""
        return self.found[converted] / max(1, len(self._kept[converted]))

    def _keep(self, lead_id: str, events: Sequence[Seen], landmark: datetime, *, converted: bool) -> None:
        began = events[0].time
        self.first, self.last = min(self.first or began, began), max(self.last or began, began)
        self.found[converted] += 1
        self._digest.update(f"{lead_id}\0".encode())
        kept = self._kept[converted]
        # Which leads are kept depends on their ids alone, not on their order.
        priority = -int.from_bytes(hashlib.blake2b(f"{self.seed}:{lead_id}".encode(), digest_size=8).digest())
        if len(kept) < MAX_EACH:
            heappush(kept, (priority, self.leads, self._lead(events, landmark, converted=converted)))
        elif priority > kept[0][0]:
            heappushpop(kept, (priority, self.leads, self._lead(events, landmark, converted=converted)))

    def _lead(self, events: Sequence[Seen], landmark: datetime, *, converted: bool) -> Lead:
        known = [each for each in events if each.known_at(landmark)]
        types = array("i", (self._type(each.event_type) for each in known))
        days = array("i", (self._day(each.time) for each in known))
        attributes: dict[str, Any] = {}
        for each in known:
            if each.event_type == IDENTIFY:
                attributes.update(each.properties)
        values = dict(self._values(known))
        return Lead(
            events[0].time, converted, self._day(landmark), types, days, values, self._wanted(dict(_flat(attributes)))
        )

    def _values(self, events: Sequence[Seen]) -> Iterator[tuple[int, Value]]:
        """Yields the position and the value of each event that is told apart by a property."""
        for position, each in enumerate(events):
            if prop := self.splits.get(each.event_type):
                value = learnable(each.properties.get(prop))
                if value is not None:
                    yield position, value

    def _type(self, event_type: str) -> int:
        if event_type == IDENTIFY:
            return -1
        return self.types.setdefault(event_type, len(self.types))

    def _day(self, time: datetime) -> int:
        return time.astimezone(self.time_zone).toordinal()

    def _wanted(self, attributes: Mapping[str, Value]) -> Mapping[str, Value]:
        names = sorted(name for name in attributes if self.attributes is None or name in self.attributes)
        return {name: attributes[name] for name in names[:MAX_ATTRIBUTES]}


def learnable(value: object) -> Value | None:
    """Returns a value that can be learnt from, or else None."""
    if isinstance(value, list):
        items: Iterable[Scalar | None] = map(_scalar, value[:MAX_ITEMS])
        return tuple(item for item in items if item is not None)
    return _scalar(value)


def _scalar(value: object) -> Scalar | None:
    if isinstance(value, str):
        return value if 0 < len(value) <= MAX_TEXT else None
    return value if isinstance(value, bool | int | float) else None


def _flat(properties: Mapping[str, Any], prefix: str = "", depth: int = MAX_DEPTH) -> Iterator[tuple[str, Value]]:
    """Yields properties by the names that conditions use: `company.size` is the property `size` of `company`."""
    for name, value in properties.items():
        if isinstance(value, Mapping):
            if depth > 1:
                yield from _flat(value, f"{prefix}{name}.", depth - 1)
        elif (found := learnable(value)) is not None:
            yield f"{prefix}{name}", found
