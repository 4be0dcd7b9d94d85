"""Validates scoring models: finds every mistake, each with its path in the model."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from scoring_service.domain.calibration_validation import calibration_flaws
from scoring_service.domain.fit import Fit
from scoring_service.domain.flaws import Flaw, count_flaws, span_flaws
from scoring_service.domain.model import ADJUSTMENT, NEVER, Decay, Rule, ScoringModel
from shared.conditions import Condition, Operator, key_of

MAX_POINTS = 1_000_000
MAX_SCORE = 10**12
MAX_RULES = 1_000
MAX_GROUPS = 100
MAX_STAGES = 50
MAX_ACTIONS = 100
MAX_TYPES = 100
MAX_CONDITIONS = 20
MAX_LIMITS = 6
MAX_OPERANDS = 1_000
MAX_TEXT = 256
LONGEST_INACTIVITY = timedelta(days=3_650)
LONGEST_WINDOW = timedelta(days=366)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


class InvalidModel(Exception):
    """The model has mistakes. `violations` lists all of them."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__(_sentence(flaws))
        self.violations = [(flaw.field, flaw.message) for flaw in flaws]


def _sentence(flaws: Sequence[Flaw]) -> str:
    count = "1 mistake" if len(flaws) == 1 else f"{len(flaws)} mistakes"
    return f"the model has {count}; {flaws[0].field}: {flaws[0].message}"


def check_model(model: ScoringModel) -> None:
    """Checks a model.

    Raises:
        InvalidModel: It has mistakes.
    """
    flaws = list(flaws_of(model))
    if flaws:
        raise InvalidModel(flaws)


def flaws_of(model: ScoringModel) -> Iterator[Flaw]:
    """Yields every mistake of a model."""
    if len(model.display_name) > MAX_TEXT or "\0" in model.display_name:
        yield Flaw("display_name", f"must have at most {MAX_TEXT} characters and no NUL")
    yield from _bounds(model)
    yield from _stages(model)
    yield from _groups(model)
    yield from _rules(model)
    yield from _decay(model.decay)
    yield from span_flaws("velocity.window", model.velocity.window, LONGEST_WINDOW, positive=True)
    if not 0 <= model.velocity.weight <= MAX_POINTS:
        yield Flaw("velocity.weight", f"is {model.velocity.weight}, must be 0 to {MAX_POINTS:,}")
    yield from span_flaws("risk.idle", model.idle, LONGEST_INACTIVITY)
    yield from _next_actions(model)
    if model.fit is not None:
        yield from _fit(model.fit, {rule.rule_id for rule in model.rules})
    if model.calibration is not None:
        yield from calibration_flaws(model.calibration, model.score_ceiling)


def _bounds(model: ScoringModel) -> Iterator[Flaw]:
    for field, value in (("score_floor", model.score_floor), ("score_ceiling", model.score_ceiling)):
        if abs(value) > MAX_SCORE:
            yield Flaw(field, f"is {value}, must be between -{MAX_SCORE:,} and {MAX_SCORE:,}")
    if model.score_floor >= model.score_ceiling:
        yield Flaw("score_ceiling", f"is {model.score_ceiling}, must be above the floor, {model.score_floor}")


def _stages(model: ScoringModel) -> Iterator[Flaw]:
    yield from count_flaws("stages", len(model.stages), MAX_STAGES, least=1)
    yield from _names("stages", "stage", [stage.stage for stage in model.stages])
    if model.stages and model.stages[0].minimum_score != model.score_floor:
        first = model.stages[0].minimum_score
        yield Flaw("stages[0].minimum_score", f"is {first}, must be the floor, {model.score_floor}")
    for index, (below, stage) in enumerate(zip(model.stages, model.stages[1:], strict=False), 1):
        if stage.minimum_score <= below.minimum_score:
            overlap = f"overlaps {below.stage!r}: it begins at {stage.minimum_score}, must begin above"
            yield Flaw(f"stages[{index}].minimum_score", f"{overlap} {below.minimum_score}")
        elif stage.minimum_score > model.score_ceiling:
            above = f"is {stage.minimum_score}, above the ceiling, {model.score_ceiling}: no score can reach it"
            yield Flaw(f"stages[{index}].minimum_score", above)
    known = {stage.stage for stage in model.stages}
    yield from _known("churn_stages", model.churn_stages, known)


def _groups(model: ScoringModel) -> Iterator[Flaw]:
    yield from count_flaws("groups", len(model.groups), MAX_GROUPS)
    yield from _names("groups", "group_id", [group.group_id for group in model.groups])
    parents = {group.group_id: group.parent_group_id for group in model.groups}
    for index, group in enumerate(model.groups):
        if not 0 <= group.cap <= MAX_SCORE:
            yield Flaw(f"groups[{index}].cap", f"is {group.cap}, must be 0 to {MAX_SCORE:,}")
        if group.parent_group_id and group.parent_group_id not in parents:
            yield Flaw(f"groups[{index}].parent_group_id", f"group {group.parent_group_id!r} does not exist")
        elif _is_in_cycle(group.group_id, parents):
            yield Flaw(f"groups[{index}].parent_group_id", f"group {group.group_id!r} contains itself")


def _is_in_cycle(group_id: str, parents: dict[str, str]) -> bool:
    seen, each = set[str](), parents[group_id]
    while each and each not in seen:
        if each == group_id:
            return True
        seen.add(each)
        each = parents.get(each, "")
    return False


def _rules(model: ScoringModel) -> Iterator[Flaw]:
    yield from count_flaws("rules", len(model.rules), MAX_RULES)
    yield from _names("rules", "rule_id", [rule.rule_id for rule in model.rules])
    groups = {group.group_id for group in model.groups}
    for index, rule in enumerate(model.rules):
        path = f"rules[{index}]"
        yield from _rule_id(path, rule.rule_id)
        yield from _points(path, rule.points)
        yield from _event_types(f"{path}.event_types", rule.event_types)
        yield from _conditions(f"{path}.conditions", rule.conditions)
        yield from _limits(f"{path}.limits", rule)
        if rule.group_id and rule.group_id not in groups:
            yield Flaw(f"{path}.group_id", f"group {rule.group_id!r} does not exist")


def _rule_id(path: str, rule_id: str) -> Iterator[Flaw]:
    if rule_id == ADJUSTMENT:
        yield Flaw(f"{path}.rule_id", f"{ADJUSTMENT!r} is reserved")


def _points(path: str, points: int) -> Iterator[Flaw]:
    if points == 0:
        yield Flaw(f"{path}.points", "is missing or 0: the rule would have no effect")
    elif abs(points) > MAX_POINTS:
        yield Flaw(f"{path}.points", f"is {points}, must be between -{MAX_POINTS:,} and {MAX_POINTS:,}")


def _event_types(path: str, types: Sequence[str]) -> Iterator[Flaw]:
    yield from count_flaws(path, len(types), MAX_TYPES, least=1)
    for index, event_type in enumerate(types):
        if not event_type or len(event_type) > MAX_TEXT or "\0" in event_type:
            yield Flaw(f"{path}[{index}]", f"must have 1 to {MAX_TEXT} characters and no NUL")


def _limits(path: str, rule: Rule) -> Iterator[Flaw]:
    yield from count_flaws(path, len(rule.limits), MAX_LIMITS)
    kinds = Counter((limit.period, limit.max_points is None) for limit in rule.limits)
    for index, limit in enumerate(rule.limits):
        name, bound = ("max_times", limit.max_times) if limit.max_points is None else ("max_points", limit.max_points)
        if bound is None:
            yield Flaw(f"{path}[{index}]", "has no bound: give max_points or max_times")
        elif not 1 <= bound <= MAX_SCORE:
            yield Flaw(f"{path}[{index}].{name}", f"is {bound}, must be 1 to {MAX_SCORE:,}")
        if kinds[limit.period, limit.max_points is None] > 1:
            yield Flaw(f"{path}[{index}]", f"duplicates another {name} per {limit.period.value}")


def _decay(decay: Decay) -> Iterator[Flaw]:
    yield from span_flaws("decay.grace", decay.grace, LONGEST_INACTIVITY)
    if decay.half_life is not None and not timedelta(days=1) <= decay.half_life <= NEVER:
        yield Flaw("decay.half_life", f"is {decay.half_life}, must be 1 to {NEVER.days:,} days")
    if decay.percent_per_day is not None and not 0 <= decay.percent_per_day <= 100:
        yield Flaw("decay.percent_per_day", f"is {decay.percent_per_day}, must be 0 to 100")
    if abs(decay.floor) > MAX_SCORE:
        yield Flaw("decay.floor", f"is {decay.floor}, must be between -{MAX_SCORE:,} and {MAX_SCORE:,}")


def _next_actions(model: ScoringModel) -> Iterator[Flaw]:
    yield from count_flaws("next_actions", len(model.next_actions), MAX_ACTIONS, least=1)
    known = {stage.stage for stage in model.stages}
    for index, row in enumerate(model.next_actions):
        path = f"next_actions[{index}]"
        if not _NAME.fullmatch(row.next_action):
            yield Flaw(f"{path}.next_action", _name_flaw(row.next_action))
        yield from _known(f"{path}.stages", row.stages, known)
        if row.minimum_velocity < 0:
            yield Flaw(f"{path}.minimum_velocity", f"is {row.minimum_velocity}, must not be negative")
    if model.next_actions:
        last = model.next_actions[-1]
        if last.stages or last.minimum_velocity > 0 or last.risk is not None:
            yield Flaw(f"next_actions[{len(model.next_actions) - 1}]", "is the last row, so it must have no conditions")


def _fit(fit: Fit, taken: set[str]) -> Iterator[Flaw]:
    yield from count_flaws("fit.rules", len(fit.rules), MAX_RULES, least=1)
    yield from _names("fit.rules", "rule_id", [rule.rule_id for rule in fit.rules])
    for index, rule in enumerate(fit.rules):
        path = f"fit.rules[{index}]"
        yield from _rule_id(path, rule.rule_id)
        if rule.rule_id in taken:
            yield Flaw(f"{path}.rule_id", f"{rule.rule_id!r} is already used by a rule for events")
        yield from _points(path, rule.points)
        yield from _conditions(f"{path}.conditions", rule.conditions, least=1)
    for field, value, below in (
        ("grade_a_points", fit.grade_a_points, ("grade_b_points", fit.grade_b_points)),
        ("grade_b_points", fit.grade_b_points, ("grade_c_points", fit.grade_c_points)),
        ("level_1_score", fit.level_1_score, ("level_2_score", fit.level_2_score)),
    ):
        if value <= below[1]:
            yield Flaw(f"fit.{field}", f"is {value}, must be above {below[0]}, {below[1]}")


def _conditions(path: str, conditions: Sequence[Condition], *, least: int = 0) -> Iterator[Flaw]:
    yield from count_flaws(path, len(conditions), MAX_CONDITIONS, least=least)
    for index, condition in enumerate(conditions):
        yield from _condition(f"{path}[{index}]", condition)


def _condition(path: str, condition: Condition) -> Iterator[Flaw]:
    if not condition.property or len(condition.property) > MAX_TEXT or "\0" in condition.property:
        yield Flaw(f"{path}.property", f"must have 1 to {MAX_TEXT} characters and no NUL")
    field, operand = f"{path}.{condition.operator.value}", condition.operand
    match condition.operator:
        case Operator.EQUALS:
            yield from _scalars(field, [operand])
        case Operator.IN:
            yield from count_flaws(field, len(operand), MAX_OPERANDS, least=1)
            yield from _scalars(field, operand)
        case Operator.CONTAINS | Operator.STARTS_WITH:
            if not operand or len(operand) > MAX_TEXT:
                yield Flaw(field, f"must have 1 to {MAX_TEXT} characters")
        case Operator.EXISTS:
            pass
        case _:
            if not math.isfinite(operand):
                yield Flaw(field, "is not a finite number")


def _scalars(path: str, operands: Sequence[object]) -> Iterator[Flaw]:
    for operand in operands:
        if key_of(operand) is None:
            yield Flaw(
                path, "must be text, a number, true or false; to test for a missing property, use `exists: false`"
            )
        elif isinstance(operand, float) and not math.isfinite(operand):
            yield Flaw(path, "is not a finite number")
        elif isinstance(operand, str) and len(operand) > MAX_TEXT:
            yield Flaw(path, f"must have at most {MAX_TEXT} characters")


def _names(path: str, field: str, names: Sequence[str]) -> Iterator[Flaw]:
    counts = Counter(names)
    for index, name in enumerate(names):
        if not _NAME.fullmatch(name):
            yield Flaw(f"{path}[{index}].{field}", _name_flaw(name))
        elif counts[name] > 1 and name in names[:index]:
            yield Flaw(f"{path}[{index}].{field}", f"{name!r} is already used by {path}[{names.index(name)}]")


def _name_flaw(name: str) -> str:
    shown = repr(name[:70]) if name else "it is empty"
    return f"must have 1 to 64 letters, digits, `_`, `-` or `.`, the first a letter or a digit: {shown}"


def _known(path: str, names: Iterable[str], known: set[str]) -> Iterator[Flaw]:
    for index, name in enumerate(names):
        if name not in known:
            yield Flaw(f"{path}[{index}]", f"{name[:70]!r} is not a stage of the model")
