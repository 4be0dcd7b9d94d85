import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_ARGUMENT_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_PAGE_TOKEN_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_RULE_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_RULE_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_RULE_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_RULE_CHANGED: _ClassVar[ErrorReason]
    ERROR_REASON_LEAD_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_EXECUTION_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_NOTHING_TO_RETRY: _ClassVar[ErrorReason]
    ERROR_REASON_RULE_DISABLED: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_CALLER_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_ROLE_MISSING: _ClassVar[ErrorReason]

class Risk(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RISK_UNSPECIFIED: _ClassVar[Risk]
    RISK_LOW: _ClassVar[Risk]
    RISK_HIGH: _ClassVar[Risk]

class Per(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PER_UNSPECIFIED: _ClassVar[Per]
    PER_DATE: _ClassVar[Per]
    PER_EVENT: _ClassVar[Per]

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTION_UNSPECIFIED: _ClassVar[Direction]
    DIRECTION_UPWARD: _ClassVar[Direction]
    DIRECTION_DOWNWARD: _ClassVar[Direction]

class Operator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATOR_UNSPECIFIED: _ClassVar[Operator]
    OPERATOR_EQUALS: _ClassVar[Operator]
    OPERATOR_IN: _ClassVar[Operator]
    OPERATOR_CONTAINS: _ClassVar[Operator]
    OPERATOR_STARTS_WITH: _ClassVar[Operator]
    OPERATOR_EXISTS: _ClassVar[Operator]
    OPERATOR_LESS_THAN: _ClassVar[Operator]
    OPERATOR_AT_MOST: _ClassVar[Operator]
    OPERATOR_GREATER_THAN: _ClassVar[Operator]
    OPERATOR_AT_LEAST: _ClassVar[Operator]

class Preset(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRESET_UNSPECIFIED: _ClassVar[Preset]
    PRESET_NOTIFY_SALES: _ClassVar[Preset]
    PRESET_CREATE_CRM_TASK: _ClassVar[Preset]
    PRESET_ASSIGN_REP: _ClassVar[Preset]
    PRESET_SEND_EMAIL: _ClassVar[Preset]

class ExecutionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXECUTION_STATE_UNSPECIFIED: _ClassVar[ExecutionState]
    EXECUTION_STATE_RECORDED: _ClassVar[ExecutionState]
    EXECUTION_STATE_PENDING: _ClassVar[ExecutionState]
    EXECUTION_STATE_DELIVERED: _ClassVar[ExecutionState]
    EXECUTION_STATE_FAILED: _ClassVar[ExecutionState]
    EXECUTION_STATE_CANCELLED: _ClassVar[ExecutionState]

class ParkReasonCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PARK_REASON_CODE_UNSPECIFIED: _ClassVar[ParkReasonCode]
    PARK_REASON_CODE_FAILED: _ClassVar[ParkReasonCode]
    PARK_REASON_CODE_WORKER_DIED: _ClassVar[ParkReasonCode]
    PARK_REASON_CODE_TOO_LARGE: _ClassVar[ParkReasonCode]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_ARGUMENT_INVALID: ErrorReason
ERROR_REASON_PAGE_TOKEN_INVALID: ErrorReason
ERROR_REASON_RULE_INVALID: ErrorReason
ERROR_REASON_RULE_EXISTS: ErrorReason
ERROR_REASON_RULE_NOT_FOUND: ErrorReason
ERROR_REASON_RULE_CHANGED: ErrorReason
ERROR_REASON_LEAD_NOT_FOUND: ErrorReason
ERROR_REASON_EXECUTION_NOT_FOUND: ErrorReason
ERROR_REASON_NOTHING_TO_RETRY: ErrorReason
ERROR_REASON_RULE_DISABLED: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_CALLER_UNKNOWN: ErrorReason
ERROR_REASON_ROLE_MISSING: ErrorReason
RISK_UNSPECIFIED: Risk
RISK_LOW: Risk
RISK_HIGH: Risk
PER_UNSPECIFIED: Per
PER_DATE: Per
PER_EVENT: Per
DIRECTION_UNSPECIFIED: Direction
DIRECTION_UPWARD: Direction
DIRECTION_DOWNWARD: Direction
OPERATOR_UNSPECIFIED: Operator
OPERATOR_EQUALS: Operator
OPERATOR_IN: Operator
OPERATOR_CONTAINS: Operator
OPERATOR_STARTS_WITH: Operator
OPERATOR_EXISTS: Operator
OPERATOR_LESS_THAN: Operator
OPERATOR_AT_MOST: Operator
OPERATOR_GREATER_THAN: Operator
OPERATOR_AT_LEAST: Operator
PRESET_UNSPECIFIED: Preset
PRESET_NOTIFY_SALES: Preset
PRESET_CREATE_CRM_TASK: Preset
PRESET_ASSIGN_REP: Preset
PRESET_SEND_EMAIL: Preset
EXECUTION_STATE_UNSPECIFIED: ExecutionState
EXECUTION_STATE_RECORDED: ExecutionState
EXECUTION_STATE_PENDING: ExecutionState
EXECUTION_STATE_DELIVERED: ExecutionState
EXECUTION_STATE_FAILED: ExecutionState
EXECUTION_STATE_CANCELLED: ExecutionState
PARK_REASON_CODE_UNSPECIFIED: ParkReasonCode
PARK_REASON_CODE_FAILED: ParkReasonCode
PARK_REASON_CODE_WORKER_DIED: ParkReasonCode
PARK_REASON_CODE_TOO_LARGE: ParkReasonCode

class AutomationRule(_message.Message):
    __slots__ = ("rule_id", "display_name", "enabled", "conditions", "revision", "create_time", "update_time", "trigger", "actions", "cool_down_days", "disable_reason", "per")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    COOL_DOWN_DAYS_FIELD_NUMBER: _ClassVar[int]
    DISABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    display_name: str
    enabled: bool
    conditions: Conditions
    revision: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    trigger: Trigger
    actions: _containers.RepeatedCompositeFieldContainer[Action]
    cool_down_days: int
    disable_reason: str
    per: Per
    def __init__(self, rule_id: _Optional[str] = ..., display_name: _Optional[str] = ..., enabled: bool = ..., conditions: _Optional[_Union[Conditions, _Mapping]] = ..., revision: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trigger: _Optional[_Union[Trigger, _Mapping]] = ..., actions: _Optional[_Iterable[_Union[Action, _Mapping]]] = ..., cool_down_days: _Optional[int] = ..., disable_reason: _Optional[str] = ..., per: _Optional[_Union[Per, str]] = ...) -> None: ...

class Trigger(_message.Message):
    __slots__ = ("while_condition_holds", "stage_entered", "stage_left", "score_crossed", "event_received", "inactive")
    WHILE_CONDITION_HOLDS_FIELD_NUMBER: _ClassVar[int]
    STAGE_ENTERED_FIELD_NUMBER: _ClassVar[int]
    STAGE_LEFT_FIELD_NUMBER: _ClassVar[int]
    SCORE_CROSSED_FIELD_NUMBER: _ClassVar[int]
    EVENT_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    INACTIVE_FIELD_NUMBER: _ClassVar[int]
    while_condition_holds: WhileConditionHolds
    stage_entered: StageEntered
    stage_left: StageLeft
    score_crossed: ScoreCrossed
    event_received: EventReceived
    inactive: Inactive
    def __init__(self, while_condition_holds: _Optional[_Union[WhileConditionHolds, _Mapping]] = ..., stage_entered: _Optional[_Union[StageEntered, _Mapping]] = ..., stage_left: _Optional[_Union[StageLeft, _Mapping]] = ..., score_crossed: _Optional[_Union[ScoreCrossed, _Mapping]] = ..., event_received: _Optional[_Union[EventReceived, _Mapping]] = ..., inactive: _Optional[_Union[Inactive, _Mapping]] = ...) -> None: ...

class WhileConditionHolds(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StageEntered(_message.Message):
    __slots__ = ("stages",)
    STAGES_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, stages: _Optional[_Iterable[str]] = ...) -> None: ...

class StageLeft(_message.Message):
    __slots__ = ("stages",)
    STAGES_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, stages: _Optional[_Iterable[str]] = ...) -> None: ...

class ScoreCrossed(_message.Message):
    __slots__ = ("threshold", "direction")
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    threshold: int
    direction: Direction
    def __init__(self, threshold: _Optional[int] = ..., direction: _Optional[_Union[Direction, str]] = ...) -> None: ...

class EventReceived(_message.Message):
    __slots__ = ("event_type",)
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    def __init__(self, event_type: _Optional[str] = ...) -> None: ...

class Inactive(_message.Message):
    __slots__ = ("days",)
    DAYS_FIELD_NUMBER: _ClassVar[int]
    days: int
    def __init__(self, days: _Optional[int] = ...) -> None: ...

class Conditions(_message.Message):
    __slots__ = ("stages", "minimum_score", "minimum_velocity", "risk", "maximum_score", "maximum_velocity", "next_actions", "attributes", "fit_grades")
    STAGES_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_VELOCITY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_VELOCITY_FIELD_NUMBER: _ClassVar[int]
    NEXT_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    FIT_GRADES_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedScalarFieldContainer[str]
    minimum_score: int
    minimum_velocity: int
    risk: Risk
    maximum_score: int
    maximum_velocity: int
    next_actions: _containers.RepeatedScalarFieldContainer[str]
    attributes: _containers.RepeatedCompositeFieldContainer[AttributeCondition]
    fit_grades: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, stages: _Optional[_Iterable[str]] = ..., minimum_score: _Optional[int] = ..., minimum_velocity: _Optional[int] = ..., risk: _Optional[_Union[Risk, str]] = ..., maximum_score: _Optional[int] = ..., maximum_velocity: _Optional[int] = ..., next_actions: _Optional[_Iterable[str]] = ..., attributes: _Optional[_Iterable[_Union[AttributeCondition, _Mapping]]] = ..., fit_grades: _Optional[_Iterable[str]] = ...) -> None: ...

class AttributeCondition(_message.Message):
    __slots__ = ("attribute", "operator", "values", "ignore_case")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    IGNORE_CASE_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    operator: Operator
    values: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Value]
    ignore_case: bool
    def __init__(self, attribute: _Optional[str] = ..., operator: _Optional[_Union[Operator, str]] = ..., values: _Optional[_Iterable[_Union[_struct_pb2.Value, _Mapping]]] = ..., ignore_case: bool = ...) -> None: ...

class Action(_message.Message):
    __slots__ = ("action_id", "preset", "parameters", "webhook", "slack", "email")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    SLACK_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    preset: Preset
    parameters: _containers.ScalarMap[str, str]
    webhook: Webhook
    slack: Slack
    email: Email
    def __init__(self, action_id: _Optional[str] = ..., preset: _Optional[_Union[Preset, str]] = ..., parameters: _Optional[_Mapping[str, str]] = ..., webhook: _Optional[_Union[Webhook, _Mapping]] = ..., slack: _Optional[_Union[Slack, _Mapping]] = ..., email: _Optional[_Union[Email, _Mapping]] = ...) -> None: ...

class Webhook(_message.Message):
    __slots__ = ("url", "secrets")
    URL_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    url: str
    secrets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, url: _Optional[str] = ..., secrets: _Optional[_Iterable[str]] = ...) -> None: ...

class Slack(_message.Message):
    __slots__ = ("url", "text")
    URL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    url: str
    text: str
    def __init__(self, url: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Email(_message.Message):
    __slots__ = ("to", "to_attribute", "subject", "body")
    TO_FIELD_NUMBER: _ClassVar[int]
    TO_ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    to: _containers.RepeatedScalarFieldContainer[str]
    to_attribute: str
    subject: str
    body: str
    def __init__(self, to: _Optional[_Iterable[str]] = ..., to_attribute: _Optional[str] = ..., subject: _Optional[str] = ..., body: _Optional[str] = ...) -> None: ...

class AutomationExecution(_message.Message):
    __slots__ = ("execution_id", "rule_id", "lead_id", "date_bucket", "state", "change_sequence", "score", "stage_before", "stage_after", "velocity", "risk", "next_action", "record_time", "why", "deliveries", "event_id", "event_type")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    DATE_BUCKET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_AFTER_FIELD_NUMBER: _ClassVar[int]
    VELOCITY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    NEXT_ACTION_FIELD_NUMBER: _ClassVar[int]
    RECORD_TIME_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    rule_id: str
    lead_id: str
    date_bucket: str
    state: ExecutionState
    change_sequence: int
    score: int
    stage_before: str
    stage_after: str
    velocity: int
    risk: Risk
    next_action: str
    record_time: _timestamp_pb2.Timestamp
    why: _containers.RepeatedScalarFieldContainer[str]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    event_id: str
    event_type: str
    def __init__(self, execution_id: _Optional[str] = ..., rule_id: _Optional[str] = ..., lead_id: _Optional[str] = ..., date_bucket: _Optional[str] = ..., state: _Optional[_Union[ExecutionState, str]] = ..., change_sequence: _Optional[int] = ..., score: _Optional[int] = ..., stage_before: _Optional[str] = ..., stage_after: _Optional[str] = ..., velocity: _Optional[int] = ..., risk: _Optional[_Union[Risk, str]] = ..., next_action: _Optional[str] = ..., record_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., why: _Optional[_Iterable[str]] = ..., deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., event_id: _Optional[str] = ..., event_type: _Optional[str] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("delivery_id", "action_id", "receiver", "endpoint", "state", "next_attempt_time", "attempts", "body")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    action_id: str
    receiver: str
    endpoint: str
    state: ExecutionState
    next_attempt_time: _timestamp_pb2.Timestamp
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    body: bytes
    def __init__(self, delivery_id: _Optional[str] = ..., action_id: _Optional[str] = ..., receiver: _Optional[str] = ..., endpoint: _Optional[str] = ..., state: _Optional[_Union[ExecutionState, str]] = ..., next_attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., body: _Optional[bytes] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("attempt_time", "duration", "status", "error", "answer")
    ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    attempt_time: _timestamp_pb2.Timestamp
    duration: _duration_pb2.Duration
    status: int
    error: str
    answer: str
    def __init__(self, attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., status: _Optional[int] = ..., error: _Optional[str] = ..., answer: _Optional[str] = ...) -> None: ...

class CreateAutomationRuleRequest(_message.Message):
    __slots__ = ("rule", "validate_only")
    RULE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    rule: AutomationRule
    validate_only: bool
    def __init__(self, rule: _Optional[_Union[AutomationRule, _Mapping]] = ..., validate_only: bool = ...) -> None: ...

class CreateAutomationRuleResponse(_message.Message):
    __slots__ = ("rule", "warnings")
    RULE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    rule: AutomationRule
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rule: _Optional[_Union[AutomationRule, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class GetAutomationRuleRequest(_message.Message):
    __slots__ = ("rule_id",)
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    def __init__(self, rule_id: _Optional[str] = ...) -> None: ...

class GetAutomationRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: AutomationRule
    def __init__(self, rule: _Optional[_Union[AutomationRule, _Mapping]] = ...) -> None: ...

class ListAutomationRulesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAutomationRulesResponse(_message.Message):
    __slots__ = ("rules", "next_page_token")
    RULES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[AutomationRule]
    next_page_token: str
    def __init__(self, rules: _Optional[_Iterable[_Union[AutomationRule, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateAutomationRuleRequest(_message.Message):
    __slots__ = ("rule", "update_mask", "validate_only")
    RULE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    rule: AutomationRule
    update_mask: _field_mask_pb2.FieldMask
    validate_only: bool
    def __init__(self, rule: _Optional[_Union[AutomationRule, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., validate_only: bool = ...) -> None: ...

class UpdateAutomationRuleResponse(_message.Message):
    __slots__ = ("rule", "warnings")
    RULE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    rule: AutomationRule
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rule: _Optional[_Union[AutomationRule, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class DeleteAutomationRuleRequest(_message.Message):
    __slots__ = ("rule_id",)
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    def __init__(self, rule_id: _Optional[str] = ...) -> None: ...

class DeleteAutomationRuleResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PreviewAutomationRulesRequest(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[SupposedChange]
    def __init__(self, changes: _Optional[_Iterable[_Union[SupposedChange, _Mapping]]] = ...) -> None: ...

class SupposedChange(_message.Message):
    __slots__ = ("lead_id", "score_before", "score_after", "stage_before", "stage_after")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    SCORE_AFTER_FIELD_NUMBER: _ClassVar[int]
    STAGE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_AFTER_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    def __init__(self, lead_id: _Optional[str] = ..., score_before: _Optional[int] = ..., score_after: _Optional[int] = ..., stage_before: _Optional[str] = ..., stage_after: _Optional[str] = ...) -> None: ...

class PreviewAutomationRulesResponse(_message.Message):
    __slots__ = ("rules",)
    RULES_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[RulePreview]
    def __init__(self, rules: _Optional[_Iterable[_Union[RulePreview, _Mapping]]] = ...) -> None: ...

class RulePreview(_message.Message):
    __slots__ = ("rule_id", "lead_count")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    lead_count: int
    def __init__(self, rule_id: _Optional[str] = ..., lead_count: _Optional[int] = ...) -> None: ...

class TestAutomationRuleRequest(_message.Message):
    __slots__ = ("rule_id", "rule", "lead_id")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    rule: AutomationRule
    lead_id: str
    def __init__(self, rule_id: _Optional[str] = ..., rule: _Optional[_Union[AutomationRule, _Mapping]] = ..., lead_id: _Optional[str] = ...) -> None: ...

class TestAutomationRuleResponse(_message.Message):
    __slots__ = ("would_fire", "checks", "warnings", "deliveries", "last_date_bucket")
    WOULD_FIRE_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    LAST_DATE_BUCKET_FIELD_NUMBER: _ClassVar[int]
    would_fire: bool
    checks: _containers.RepeatedCompositeFieldContainer[Check]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    last_date_bucket: str
    def __init__(self, would_fire: bool = ..., checks: _Optional[_Iterable[_Union[Check, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ..., deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., last_date_bucket: _Optional[str] = ...) -> None: ...

class Check(_message.Message):
    __slots__ = ("field", "holds", "explanation")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    field: str
    holds: bool
    explanation: str
    def __init__(self, field: _Optional[str] = ..., holds: bool = ..., explanation: _Optional[str] = ...) -> None: ...

class GetAutomationExecutionRequest(_message.Message):
    __slots__ = ("execution_id",)
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    def __init__(self, execution_id: _Optional[str] = ...) -> None: ...

class GetAutomationExecutionResponse(_message.Message):
    __slots__ = ("execution",)
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    execution: AutomationExecution
    def __init__(self, execution: _Optional[_Union[AutomationExecution, _Mapping]] = ...) -> None: ...

class RetryAutomationExecutionRequest(_message.Message):
    __slots__ = ("execution_id",)
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    def __init__(self, execution_id: _Optional[str] = ...) -> None: ...

class RetryAutomationExecutionResponse(_message.Message):
    __slots__ = ("execution",)
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    execution: AutomationExecution
    def __init__(self, execution: _Optional[_Union[AutomationExecution, _Mapping]] = ...) -> None: ...

class RetryAutomationExecutionsRequest(_message.Message):
    __slots__ = ("state", "rule_id", "lead_id", "from_time", "until_time", "date_bucket", "page_size", "page_token")
    STATE_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    DATE_BUCKET_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    state: ExecutionState
    rule_id: str
    lead_id: str
    from_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    date_bucket: str
    page_size: int
    page_token: str
    def __init__(self, state: _Optional[_Union[ExecutionState, str]] = ..., rule_id: _Optional[str] = ..., lead_id: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., date_bucket: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class RetryAutomationExecutionsResponse(_message.Message):
    __slots__ = ("retried_count", "skipped_count", "next_page_token")
    RETRIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    retried_count: int
    skipped_count: int
    next_page_token: str
    def __init__(self, retried_count: _Optional[int] = ..., skipped_count: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListAutomationExecutionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "lead_id", "rule_id", "date_bucket", "state", "from_time", "until_time")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    DATE_BUCKET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    lead_id: str
    rule_id: str
    date_bucket: str
    state: ExecutionState
    from_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., lead_id: _Optional[str] = ..., rule_id: _Optional[str] = ..., date_bucket: _Optional[str] = ..., state: _Optional[_Union[ExecutionState, str]] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListAutomationExecutionsResponse(_message.Message):
    __slots__ = ("executions", "next_page_token")
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    executions: _containers.RepeatedCompositeFieldContainer[AutomationExecution]
    next_page_token: str
    def __init__(self, executions: _Optional[_Iterable[_Union[AutomationExecution, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetAutomationBacklogRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAutomationBacklogResponse(_message.Message):
    __slots__ = ("pending_changes", "oldest_change_time", "parked_changes", "due_deliveries", "oldest_due_time", "failed_executions", "partitions_behind", "stopped_drain", "hold")
    PENDING_CHANGES_FIELD_NUMBER: _ClassVar[int]
    OLDEST_CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    PARKED_CHANGES_FIELD_NUMBER: _ClassVar[int]
    DUE_DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    OLDEST_DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    FAILED_EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_BEHIND_FIELD_NUMBER: _ClassVar[int]
    STOPPED_DRAIN_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    pending_changes: int
    oldest_change_time: _timestamp_pb2.Timestamp
    parked_changes: int
    due_deliveries: int
    oldest_due_time: _timestamp_pb2.Timestamp
    failed_executions: int
    partitions_behind: _containers.RepeatedCompositeFieldContainer[PartitionBehind]
    stopped_drain: StoppedDrain
    hold: DeliveryHold
    def __init__(self, pending_changes: _Optional[int] = ..., oldest_change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., parked_changes: _Optional[int] = ..., due_deliveries: _Optional[int] = ..., oldest_due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failed_executions: _Optional[int] = ..., partitions_behind: _Optional[_Iterable[_Union[PartitionBehind, _Mapping]]] = ..., stopped_drain: _Optional[_Union[StoppedDrain, _Mapping]] = ..., hold: _Optional[_Union[DeliveryHold, _Mapping]] = ...) -> None: ...

class DeliveryHold(_message.Message):
    __slots__ = ("hold_time", "reason", "actor")
    HOLD_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    hold_time: _timestamp_pb2.Timestamp
    reason: str
    actor: str
    def __init__(self, hold_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class HoldDeliveriesRequest(_message.Message):
    __slots__ = ("reason", "actor")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    reason: str
    actor: str
    def __init__(self, reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class HoldDeliveriesResponse(_message.Message):
    __slots__ = ("hold",)
    HOLD_FIELD_NUMBER: _ClassVar[int]
    hold: DeliveryHold
    def __init__(self, hold: _Optional[_Union[DeliveryHold, _Mapping]] = ...) -> None: ...

class ReleaseDeliveriesRequest(_message.Message):
    __slots__ = ("cancel_recorded_before", "actor")
    CANCEL_RECORDED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    cancel_recorded_before: _timestamp_pb2.Timestamp
    actor: str
    def __init__(self, cancel_recorded_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ...) -> None: ...

class ReleaseDeliveriesResponse(_message.Message):
    __slots__ = ("cancelled_count", "released")
    CANCELLED_COUNT_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    cancelled_count: int
    released: bool
    def __init__(self, cancelled_count: _Optional[int] = ..., released: bool = ...) -> None: ...

class StoppedDrain(_message.Message):
    __slots__ = ("error", "failed_changes", "stop_time")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FAILED_CHANGES_FIELD_NUMBER: _ClassVar[int]
    STOP_TIME_FIELD_NUMBER: _ClassVar[int]
    error: str
    failed_changes: int
    stop_time: _timestamp_pb2.Timestamp
    def __init__(self, error: _Optional[str] = ..., failed_changes: _Optional[int] = ..., stop_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PartitionBehind(_message.Message):
    __slots__ = ("partition", "oldest_change_time")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OLDEST_CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    partition: int
    oldest_change_time: _timestamp_pb2.Timestamp
    def __init__(self, partition: _Optional[int] = ..., oldest_change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListParkedChangesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListParkedChangesResponse(_message.Message):
    __slots__ = ("parked_changes", "next_page_token")
    PARKED_CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parked_changes: _containers.RepeatedCompositeFieldContainer[ParkedChange]
    next_page_token: str
    def __init__(self, parked_changes: _Optional[_Iterable[_Union[ParkedChange, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ParkedChange(_message.Message):
    __slots__ = ("change_id", "lead_id", "attempts", "reason", "park_time", "reason_code")
    CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PARK_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    change_id: str
    lead_id: str
    attempts: int
    reason: str
    park_time: _timestamp_pb2.Timestamp
    reason_code: ParkReasonCode
    def __init__(self, change_id: _Optional[str] = ..., lead_id: _Optional[str] = ..., attempts: _Optional[int] = ..., reason: _Optional[str] = ..., park_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason_code: _Optional[_Union[ParkReasonCode, str]] = ...) -> None: ...

class RetryParkedChangesRequest(_message.Message):
    __slots__ = ("change_ids", "all")
    CHANGE_IDS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    change_ids: _containers.RepeatedScalarFieldContainer[str]
    all: bool
    def __init__(self, change_ids: _Optional[_Iterable[str]] = ..., all: bool = ...) -> None: ...

class RetryParkedChangesResponse(_message.Message):
    __slots__ = ("retried_count",)
    RETRIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    retried_count: int
    def __init__(self, retried_count: _Optional[int] = ...) -> None: ...

class DiscardParkedChangesRequest(_message.Message):
    __slots__ = ("change_ids", "all", "reason", "actor")
    CHANGE_IDS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    change_ids: _containers.RepeatedScalarFieldContainer[str]
    all: bool
    reason: str
    actor: str
    def __init__(self, change_ids: _Optional[_Iterable[str]] = ..., all: bool = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class DiscardParkedChangesResponse(_message.Message):
    __slots__ = ("discarded_count",)
    DISCARDED_COUNT_FIELD_NUMBER: _ClassVar[int]
    discarded_count: int
    def __init__(self, discarded_count: _Optional[int] = ...) -> None: ...
