"""Conditions in the words of a model file ⇄ the words of `AttributeCondition`.

People write `{property: country, equals: DE}`; the proto has `{attribute: country, operator: equals, values: [DE]}`.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2

from shared.message_files.messages import Flaw, Flawed, from_plain, to_plain

_SPELLED_OUT = {"attribute", "operator", "values"}
"""A condition with one of these words is read as the proto has it."""


def with_conditions_spelled_out(value: object, path: str, flaws: list[Flaw]) -> object:
    """Returns the plain values of a rule with its conditions in the words of the proto.

    `path` leads to the values. Mistakes are added to `flaws`.
    """
    match value:
        case {"conditions": {"attributes": list(items), **conditions}, **rule}:
            prefix = f"{path}.conditions.attributes" if path else "conditions.attributes"
            spelled = [_spelled_out(item, f"{prefix}[{index}]", flaws) for index, item in enumerate(items)]
            return {**rule, "conditions": {**conditions, "attributes": spelled}}
        case _:
            return value


def _spelled_out(item: object, path: str, flaws: list[Flaw]) -> object:
    """Returns a condition such as `{property: country, equals: DE}` in the words of the proto."""
    if not isinstance(item, Mapping) or _SPELLED_OUT & item.keys():
        return item
    try:
        # A model's conditions have the words that people know; their types are checked along with them.
        condition = from_plain(item, scoring_pb2.Condition, path)
    except Flawed as flawed:
        flaws += flawed.flaws
        return {}
    field = condition.WhichOneof("operator")
    if field is None:
        flaws.append(Flaw(path, "has no comparison, such as equals or at_least"))
        return {}
    word = "in" if field == "one_of" else field
    asked = item.get(word, item.get(field))
    values = {"in": asked, "exists": [] if asked else [False]}.get(word, [asked])
    spelled = {"attribute": condition.property, "operator": word, "values": values}
    return spelled | {"ignore_case": True} if condition.ignore_case else spelled


def in_short(asked: pb.AttributeCondition) -> dict[str, Any]:
    """Returns a condition in the words of a model, or in those of the proto where a model could not say it."""
    plain = to_plain(asked)
    word, values = plain.get("operator", ""), plain.get("values", [])
    value = values if word == "in" else (not values) if word == "exists" else values[0] if values else None
    short = {"property": asked.attribute, word: value} | ({"ignore_case": True} if plain.get("ignore_case") else {})
    flaws: list[Flaw] = []
    with suppress(Flawed):
        if from_plain(_spelled_out(short, "", flaws), pb.AttributeCondition) == asked and not flaws:
            return short
    return plain
