import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
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

class Risk(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RISK_UNSPECIFIED: _ClassVar[Risk]
    RISK_LOW: _ClassVar[Risk]
    RISK_HIGH: _ClassVar[Risk]

class ExecutionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXECUTION_STATE_UNSPECIFIED: _ClassVar[ExecutionState]
    EXECUTION_STATE_RECORDED: _ClassVar[ExecutionState]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_ARGUMENT_INVALID: ErrorReason
ERROR_REASON_PAGE_TOKEN_INVALID: ErrorReason
ERROR_REASON_RULE_INVALID: ErrorReason
ERROR_REASON_RULE_EXISTS: ErrorReason
ERROR_REASON_RULE_NOT_FOUND: ErrorReason
ERROR_REASON_RULE_CHANGED: ErrorReason
RISK_UNSPECIFIED: Risk
RISK_LOW: Risk
RISK_HIGH: Risk
EXECUTION_STATE_UNSPECIFIED: ExecutionState
EXECUTION_STATE_RECORDED: ExecutionState

class AutomationRule(_message.Message):
    __slots__ = ("rule_id", "display_name", "enabled", "conditions", "revision", "create_time", "update_time")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    display_name: str
    enabled: bool
    conditions: Conditions
    revision: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, rule_id: _Optional[str] = ..., display_name: _Optional[str] = ..., enabled: _Optional[bool] = ..., conditions: _Optional[_Union[Conditions, _Mapping]] = ..., revision: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Conditions(_message.Message):
    __slots__ = ("stages", "minimum_score", "minimum_velocity", "risk")
    STAGES_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_VELOCITY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedScalarFieldContainer[str]
    minimum_score: int
    minimum_velocity: int
    risk: Risk
    def __init__(self, stages: _Optional[_Iterable[str]] = ..., minimum_score: _Optional[int] = ..., minimum_velocity: _Optional[int] = ..., risk: _Optional[_Union[Risk, str]] = ...) -> None: ...

class AutomationExecution(_message.Message):
    __slots__ = ("execution_id", "rule_id", "lead_id", "date_bucket", "state", "change_sequence", "score", "stage_before", "stage_after", "velocity", "risk", "next_action", "record_time")
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
    def __init__(self, execution_id: _Optional[str] = ..., rule_id: _Optional[str] = ..., lead_id: _Optional[str] = ..., date_bucket: _Optional[str] = ..., state: _Optional[_Union[ExecutionState, str]] = ..., change_sequence: _Optional[int] = ..., score: _Optional[int] = ..., stage_before: _Optional[str] = ..., stage_after: _Optional[str] = ..., velocity: _Optional[int] = ..., risk: _Optional[_Union[Risk, str]] = ..., next_action: _Optional[str] = ..., record_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateAutomationRuleRequest(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: AutomationRule
    def __init__(self, rule: _Optional[_Union[AutomationRule, _Mapping]] = ...) -> None: ...

class CreateAutomationRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: AutomationRule
    def __init__(self, rule: _Optional[_Union[AutomationRule, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("rule", "update_mask")
    RULE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    rule: AutomationRule
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, rule: _Optional[_Union[AutomationRule, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateAutomationRuleResponse(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: AutomationRule
    def __init__(self, rule: _Optional[_Union[AutomationRule, _Mapping]] = ...) -> None: ...

class DeleteAutomationRuleRequest(_message.Message):
    __slots__ = ("rule_id",)
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    def __init__(self, rule_id: _Optional[str] = ...) -> None: ...

class DeleteAutomationRuleResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListAutomationExecutionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "lead_id", "rule_id", "date_bucket")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    DATE_BUCKET_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    lead_id: str
    rule_id: str
    date_bucket: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., lead_id: _Optional[str] = ..., rule_id: _Optional[str] = ..., date_bucket: _Optional[str] = ...) -> None: ...

class ListAutomationExecutionsResponse(_message.Message):
    __slots__ = ("executions", "next_page_token")
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    executions: _containers.RepeatedCompositeFieldContainer[AutomationExecution]
    next_page_token: str
    def __init__(self, executions: _Optional[_Iterable[_Union[AutomationExecution, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
