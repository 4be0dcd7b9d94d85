"""Converts scoring models between the domain and protobuf, the format of requests, responses and stored models."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Value
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.calibration import Calibration, CalibrationStep
from scoring_service.domain.fit import Fit, FitRule
from scoring_service.domain.flaws import Flaw
from scoring_service.domain.model import (
    NO_DECAY,
    Decay,
    Limit,
    NextAction,
    Period,
    Rule,
    RuleGroup,
    ScoringModel,
    Stage,
    Velocity,
)
from scoring_service.domain.model_validation import InvalidModel, flaws_of
from shared import wire
from shared.conditions import Condition, Operator

_PERIODS = {pb.PERIOD_DAY: Period.DAY, pb.PERIOD_30_DAYS: Period.THIRTY_DAYS, pb.PERIOD_EVER: Period.EVER}
_PERIODS_ON_THE_WIRE = {period: number for number, period in _PERIODS.items()}
_RISKS = {pb.RISK_UNSPECIFIED: None, pb.RISK_LOW: "low", pb.RISK_HIGH: "high"}
_RISKS_ON_THE_WIRE = {risk: number for number, risk in _RISKS.items()}
_ONE_OF = "one_of"
"""The name of the field for `in`, which is a reserved word."""


def read_model(message: pb.ScoringModel, version: int) -> ScoringModel:
    """Returns the model that a message describes.

    Raises:
        InvalidModel: The model has mistakes; the error lists all of them.
    """
    reader = _Reader()
    model = reader.model(message, version)
    flaws = [*reader.flaws, *flaws_of(model)]
    if flaws:
        raise InvalidModel(flaws)
    return model


def write_model(model: ScoringModel) -> pb.ScoringModel:
    """Returns the message that describes a model."""
    return pb.ScoringModel(
        version=model.version,
        display_name=model.display_name,
        rules=[_write_rule(rule) for rule in model.rules],
        groups=[
            pb.RuleGroup(group_id=each.group_id, cap=each.cap, parent_group_id=each.parent_group_id)
            for each in model.groups
        ],
        score_floor=model.score_floor,
        score_ceiling=model.score_ceiling,
        stages=[pb.Stage(stage=each.stage, minimum_score=each.minimum_score) for each in model.stages],
        decay=None if model.decay == NO_DECAY else _write_decay(model.decay),
        velocity=pb.Velocity(window=model.velocity.window, weight=model.velocity.weight),
        risk=pb.RiskThreshold(idle=model.idle),
        next_actions=[
            pb.NextAction(
                next_action=each.next_action,
                stages=each.stages,
                minimum_velocity=each.minimum_velocity,
                risk=_RISKS_ON_THE_WIRE[each.risk],
            )
            for each in model.next_actions
        ],
        churn_stages=model.churn_stages,
        fit=None if model.fit is None else _write_fit(model.fit),
        calibration=None if model.calibration is None else _write_calibration(model.calibration),
    )


class _Reader:
    """Reads a message, and collects the mistakes that a model object cannot express."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []

    def model(self, message: pb.ScoringModel, version: int) -> ScoringModel:
        if not message.HasField("risk"):
            self.flaws.append(Flaw("risk", "is missing"))
        return ScoringModel(
            version=version,
            display_name=message.display_name,
            rules=tuple(self._rule(f"rules[{index}]", rule) for index, rule in enumerate(message.rules)),
            groups=tuple(RuleGroup(each.group_id, each.cap, each.parent_group_id) for each in message.groups),
            score_floor=message.score_floor,
            score_ceiling=message.score_ceiling,
            stages=tuple(Stage(each.stage, each.minimum_score) for each in message.stages),
            decay=self._decay(message.decay) if message.HasField("decay") else NO_DECAY,
            velocity=Velocity(wire.to_span(message.velocity.window), message.velocity.weight),
            idle=wire.to_span(message.risk.idle),
            next_actions=tuple(
                NextAction(
                    each.next_action,
                    tuple(each.stages),
                    each.minimum_velocity,
                    self._known(f"next_actions[{index}].risk", each.risk, _RISKS),
                )
                for index, each in enumerate(message.next_actions)
            ),
            churn_stages=tuple(message.churn_stages),
            fit=self._fit(message.fit) if message.HasField("fit") else None,
            calibration=_calibration(message.calibration) if message.HasField("calibration") else None,
        )

    def _rule(self, path: str, rule: pb.ScoringRule) -> Rule:
        return Rule(
            rule_id=rule.rule_id,
            event_types=tuple(rule.event_types),
            points=rule.points,
            conditions=self._conditions(path, rule.conditions),
            limits=tuple(self._limit(f"{path}.limits[{index}]", limit) for index, limit in enumerate(rule.limits)),
            group_id=rule.group_id,
        )

    def _limit(self, path: str, limit: pb.Limit) -> Limit:
        bound = limit.WhichOneof("bound")
        return Limit(
            period=self._known(f"{path}.period", limit.period, _PERIODS) or Period.EVER,
            max_points=limit.max_points if bound == "max_points" else None,
            max_times=limit.max_times if bound == "max_times" else None,
        )

    def _conditions(self, path: str, conditions: Sequence[pb.Condition]) -> tuple[Condition, ...]:
        return tuple(self._condition(f"{path}.conditions[{index}]", each) for index, each in enumerate(conditions))

    def _condition(self, path: str, condition: pb.Condition) -> Condition:
        field = condition.WhichOneof("operator")
        if field is None:
            self.flaws.append(Flaw(path, f"has no operator, must have one of {', '.join(Operator)}"))
            return Condition(condition.property, Operator.EXISTS, operand=True)
        operator = Operator.IN if field == _ONE_OF else Operator(field)
        return Condition(condition.property, operator, _operand(getattr(condition, field)), condition.ignore_case)

    def _decay(self, decay: pb.Decay) -> Decay:
        rate = decay.WhichOneof("rate")
        if rate is None:
            self.flaws.append(Flaw("decay", "has no rate: give percent_per_day or half_life"))
        return Decay(
            grace=wire.to_span(decay.grace),
            percent_per_day=decay.percent_per_day if rate == "percent_per_day" else None,
            half_life=wire.to_span(decay.half_life) if rate == "half_life" else None,
            floor=decay.floor,
            toward_zero=decay.toward_zero,
        )

    def _fit(self, fit: pb.Fit) -> Fit:
        return Fit(
            rules=tuple(
                FitRule(each.rule_id, each.points, self._conditions(f"fit.rules[{index}]", each.conditions))
                for index, each in enumerate(fit.rules)
            ),
            grade_a_points=fit.grade_a_points,
            grade_b_points=fit.grade_b_points,
            grade_c_points=fit.grade_c_points,
            level_1_score=fit.level_1_score,
            level_2_score=fit.level_2_score,
        )

    def _known(self, path: str, number: int, names: dict[Any, Any]) -> Any:  # noqa: ANN401 (depends on the enum)
        if number not in names:
            self.flaws.append(
                Flaw(path, "is missing" if number == 0 else f"is {number}, which is not a value of this field")
            )
        return names.get(number)


def _calibration(calibration: pb.Calibration) -> Calibration:
    return Calibration(
        landmark=wire.to_span(calibration.landmark),
        horizon=wire.to_span(calibration.horizon) if calibration.HasField("horizon") else None,
        leads=calibration.lead_count,
        steps=tuple(
            CalibrationStep(each.minimum_score, each.probability, each.low, each.high, each.lead_count)
            for each in calibration.steps
        ),
    )


def _operand(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    if isinstance(value, Value):
        return wire.to_value(value)
    if isinstance(value, ListValue):
        return tuple(wire.to_value(each) for each in value.values)
    return value


def _write_rule(rule: Rule) -> pb.ScoringRule:
    return pb.ScoringRule(
        rule_id=rule.rule_id,
        event_types=rule.event_types,
        points=rule.points,
        conditions=[_write_condition(each) for each in rule.conditions],
        limits=[
            pb.Limit(max_points=each.max_points, max_times=each.max_times, period=_PERIODS_ON_THE_WIRE[each.period])
            for each in rule.limits
        ],
        group_id=rule.group_id,
    )


def _write_condition(condition: Condition) -> pb.Condition:
    message = pb.Condition(property=condition.property, ignore_case=condition.ignore_case)
    match condition.operator:
        case Operator.EQUALS:
            message.equals.CopyFrom(wire.from_value(condition.operand))
        case Operator.IN:
            message.one_of.CopyFrom(ListValue(values=[wire.from_value(each) for each in condition.operand]))
        case operator:
            setattr(message, operator.value, condition.operand)
    return message


def _write_decay(decay: Decay) -> pb.Decay:
    return pb.Decay(
        grace=decay.grace,
        percent_per_day=decay.percent_per_day,
        half_life=decay.half_life,
        floor=decay.floor,
        toward_zero=decay.toward_zero,
    )


def _write_fit(fit: Fit) -> pb.Fit:
    return pb.Fit(
        rules=[
            pb.FitRule(
                rule_id=each.rule_id,
                points=each.points,
                conditions=[_write_condition(condition) for condition in each.conditions],
            )
            for each in fit.rules
        ],
        grade_a_points=fit.grade_a_points,
        grade_b_points=fit.grade_b_points,
        grade_c_points=fit.grade_c_points,
        level_1_score=fit.level_1_score,
        level_2_score=fit.level_2_score,
    )


def _write_calibration(calibration: Calibration) -> pb.Calibration:
    return pb.Calibration(
        landmark=calibration.landmark,
        horizon=calibration.horizon,
        lead_count=calibration.leads,
        steps=[
            pb.CalibrationStep(
                minimum_score=each.minimum_score,
                probability=each.probability,
                low=each.low,
                high=each.high,
                lead_count=each.leads,
            )
            for each in calibration.steps
        ],
    )
