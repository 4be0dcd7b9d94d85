"""A scorecard as a model: a file like any other, which people can read, change, simulate and publish."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.learning.facts import Kind
from cli.learning.scorecard import Card, Scorecard

MAX_ID = 64
MAX_POINTS = 1_000_000
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_.-]+")


def fitted_model(scorecard: Scorecard, base: pb.ScoringModel, name: str) -> pb.ScoringModel:
    """Returns the model with the rules of a scorecard, and everything else from `base`.

    The stages keep their names. Each one begins at the score that half of the leads in the stage before it reach, by
    the leads of the fit. Floor and ceiling are the lowest and the highest score that the rules can give, so the order
    of events does not matter. There is no decay, because the points were fitted without it.
    """
    model = pb.ScoringModel()
    model.CopyFrom(base)
    for field in ("version", "state", "create_time", "rules", "groups", "stages", "decay"):
        model.ClearField(field)
    model.display_name = name
    ids = Counter[str]()
    for card in _special_first(scorecard.cards):
        model.rules.append(_rule(card, _unique(_id_of(card.kind), ids)))
    totals = [card.points * card.limits.times for card in scorecard.cards]
    model.score_floor = sum(total for total in totals if total < 0)
    model.score_ceiling = max(1, sum(total for total in totals if total > 0))
    names = [stage.stage for stage in base.stages]
    for stage, minimum in zip(names, _minimums(scorecard, model.score_floor, len(names)), strict=True):
        model.stages.add(stage=stage, minimum_score=minimum)
    model.score_ceiling = max(model.score_ceiling, model.stages[-1].minimum_score)
    return model


def _special_first(cards: Sequence[Card]) -> list[Card]:
    """Returns the rules in an order in which the first that matches is the right one: those with conditions first."""
    return sorted(cards, key=lambda card: not card.kind.property)


def _rule(card: Card, rule_id: str) -> pb.ScoringRule:
    rule = pb.ScoringRule(rule_id=rule_id, event_types=[card.kind.event_type], points=card.points)
    rule.conditions.extend(_conditions(card.kind))
    if card.limits.days:
        rule.limits.add(max_times=1, period=pb.PERIOD_DAY)
    rule.limits.add(max_times=card.limits.times, period=pb.PERIOD_EVER)
    return rule


def _conditions(kind: Kind) -> Iterator[pb.Condition]:
    if kind.text is not None:
        condition = pb.Condition(property=kind.property)
        condition.equals.string_value = kind.text
        yield condition
    if kind.at_least is not None:
        yield pb.Condition(property=kind.property, at_least=kind.at_least)
    if kind.less_than is not None:
        yield pb.Condition(property=kind.property, less_than=kind.less_than)


def _id_of(kind: Kind) -> str:
    parts = [kind.event_type, kind.property, kind.text or ""]
    parts += [f"from-{kind.at_least:g}" if kind.at_least is not None else ""]
    parts += [f"below-{kind.less_than:g}" if kind.less_than is not None else ""]
    found = "-".join(filter(None, (_NOT_IN_IDS.sub("-", part).strip("-_.") for part in parts)))
    return found[:MAX_ID] or "rule"


def _unique(rule_id: str, taken: Counter[str]) -> str:
    taken[rule_id] += 1
    suffix = f"-{taken[rule_id]}" if taken[rule_id] > 1 else ""
    return f"{rule_id[: MAX_ID - len(suffix)]}{suffix}"


def _minimums(scorecard: Scorecard, floor: int, stages: int) -> Iterator[int]:
    minimum = floor
    yield minimum
    for number in range(1, stages):
        share = 1 - 0.5**number
        # Two stages cannot begin at the same score.
        minimum = max(minimum + 1, int(np.quantile(scorecard.scores, share, method="higher")))
        yield minimum
