"""Comparisons of values of different types, such as a number with text: they never hold, and nothing says why.

They are not mistakes of a model, which may be written before its events come in. So they are counted in events that
were stored.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scoring_service.domain.model import Event, ScoringModel
from shared.conditions import Condition, Operator, key_of, value_of

MAX_MISMATCHES = 100
"""The maximum number of mismatches in an answer."""

_NUMBERS = (Operator.GREATER_THAN, Operator.AT_LEAST, Operator.LESS_THAN, Operator.AT_MOST)


class Mismatch(NamedTuple):
    """A condition that compares a property with values of a type that the property does not have.

    `field` is the path of the condition in the model, such as `rules[2].conditions[0]`. Types are `text`, `number` and
    `bool`.
    """

    field: str
    rule_id: str
    property: str
    expected_type: str
    found_type: str


class TypeCheck:
    """Finds the mismatches of a model in events, and in the attributes of leads."""

    def __init__(self, model: ScoringModel) -> None:
        self._by_type: dict[str, list[_Probe]] = defaultdict(list)
        for index, rule in enumerate(model.rules):
            probes = list(_probes(f"rules[{index}]", rule.rule_id, rule.conditions))
            for event_type in dict.fromkeys(rule.event_types):
                self._by_type[event_type] += probes
        fit_rules = model.fit.rules if model.fit else ()
        self._of_attributes = [
            probe
            for index, rule in enumerate(fit_rules)
            for probe in _probes(f"fit.rules[{index}]", rule.rule_id, rule.conditions)
        ]

    def in_event(self, event: Event) -> list[Mismatch]:
        """Returns the mismatches in an event; most events have none."""
        probes = self._by_type.get(event.event_type)
        return _found(probes, event.properties) if probes else []

    def in_attributes(self, attributes: Mapping[str, Any]) -> list[Mismatch]:
        """Returns the mismatches in the attributes of a lead."""
        return _found(self._of_attributes, attributes)


_Probe = Callable[[Mapping[str, Any]], Mismatch | None]


def most_common(counts: Counter[Mismatch]) -> tuple[tuple[Mismatch, int], ...]:
    """Returns the most frequent mismatches with the number of events or leads that have them."""
    return tuple(sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:MAX_MISMATCHES])


def _found(probes: Iterable[_Probe], values: Mapping[str, Any]) -> list[Mismatch]:
    return [found for probe in probes if (found := probe(values)) is not None]


def _probes(field: str, rule_id: str, conditions: Iterable[Condition]) -> Iterator[_Probe]:
    for index, condition in enumerate(conditions):
        if expected := _types_of(condition):
            yield _probe(f"{field}.conditions[{index}]", rule_id, condition.property, expected)


def _probe(field: str, rule_id: str, name: str, expected: frozenset[str]) -> _Probe:
    shown = " or ".join(sorted(expected))

    def probe(values: Mapping[str, Any]) -> Mismatch | None:
        key = key_of(value_of(values, name))
        return None if key is None or key[0] in expected else Mismatch(field, rule_id, name, shown, key[0])

    return probe


def _types_of(condition: Condition) -> frozenset[str]:
    """Returns the types that a scalar must have for a condition to hold; none if every type will do."""
    if condition.operator is Operator.EXISTS:
        return frozenset()
    if condition.operator in _NUMBERS:
        return frozenset({"number"})
    if condition.operator in (Operator.STARTS_WITH, Operator.CONTAINS):
        return frozenset({"text"})
    operands = condition.operand if condition.operator is Operator.IN else (condition.operand,)
    return frozenset(key[0] for operand in operands if (key := key_of(operand)))
