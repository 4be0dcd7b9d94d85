"""Evaluates the conditions of a rule for the reference fold, as `docs/model.md` defines them."""

from collections.abc import Iterable, Mapping
from typing import Any

from chaos.rows import Document
from chaos.violation import Unsupported


def all_hold(conditions: Iterable[Document], properties: Mapping[str, Any]) -> bool:
    """Returns whether all conditions of a rule hold for the properties of an event."""
    return all(_holds(each, properties) for each in conditions)


def _holds(condition: Document, properties: Mapping[str, Any]) -> bool:
    fold = bool(condition.get("ignore_case"))
    value: Any = _typed(_find(condition["property"], properties), fold=fold)
    asked = {name: operand for name, operand in condition.items() if name not in ("property", "ignore_case")}
    if len(asked) != 1:
        raise Unsupported(f"a condition with {sorted(asked)}")
    operator, operand = asked.popitem()
    match operator:
        case "exists":
            return (value is not None) is operand
        case "equals":
            return value is not None and value == _typed(operand, fold=fold)
        case "in":
            return value is not None and value in _all_typed(operand, fold=fold)
        case "contains":
            return value is not None and _contains(value, _typed(operand, fold=fold), fold=fold)
        case "starts_with":
            return value is not None and value[0] == "text" and str(value[1]).startswith(_typed(operand, fold=fold)[1])
        case "greater_than" | "at_least" | "less_than" | "at_most":
            return value is not None and value[0] == "number" and _compares(operator, value[1], operand)
        case _:
            raise Unsupported(f"a condition with {operator!r}")


def _contains(value: Any, asked: Any, *, fold: bool) -> bool:
    kind, found = value
    if kind == "text":
        return bool(asked[1] in found)
    return kind == "list" and asked in _all_typed(found, fold=fold)


def _all_typed(values: Iterable[Any], *, fold: bool) -> list[Any]:
    return [_typed(each, fold=fold) for each in values]


def _compares(operator: str, number: float, operand: float) -> bool:
    return {
        "greater_than": number > operand,
        "at_least": number >= operand,
        "less_than": number < operand,
        "at_most": number <= operand,
    }[operator]


def _find(name: str, properties: Mapping[str, Any]) -> Any:
    if name in properties:
        return properties[name]
    found: Any = properties
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _typed(value: Any, *, fold: bool) -> Any:
    """Returns a value with its kind, because True is not 1; None for null."""
    match value:
        case None:
            return None
        case bool():
            return "bool", value
        case int() | float():
            return "number", float(value)
        case str():
            return "text", value.casefold() if fold else value
        case list():
            return "list", value
        case _:
            return "object", value
