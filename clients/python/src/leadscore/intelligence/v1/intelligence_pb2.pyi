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
    ERROR_REASON_LEAD_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_WATCHER_TOO_SLOW: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_MANY_WATCHERS: _ClassVar[ErrorReason]
    ERROR_REASON_RESUME_TOKEN_EXPIRED: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_CALLER_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_ROLE_MISSING: _ClassVar[ErrorReason]

class Risk(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RISK_UNSPECIFIED: _ClassVar[Risk]
    RISK_LOW: _ClassVar[Risk]
    RISK_HIGH: _ClassVar[Risk]

class TopOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOP_ORDER_UNSPECIFIED: _ClassVar[TopOrder]
    TOP_ORDER_SCORE: _ClassVar[TopOrder]
    TOP_ORDER_LAST_EVENT_TIME: _ClassVar[TopOrder]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_ARGUMENT_INVALID: ErrorReason
ERROR_REASON_PAGE_TOKEN_INVALID: ErrorReason
ERROR_REASON_LEAD_NOT_FOUND: ErrorReason
ERROR_REASON_WATCHER_TOO_SLOW: ErrorReason
ERROR_REASON_TOO_MANY_WATCHERS: ErrorReason
ERROR_REASON_RESUME_TOKEN_EXPIRED: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_CALLER_UNKNOWN: ErrorReason
ERROR_REASON_ROLE_MISSING: ErrorReason
RISK_UNSPECIFIED: Risk
RISK_LOW: Risk
RISK_HIGH: Risk
TOP_ORDER_UNSPECIFIED: TopOrder
TOP_ORDER_SCORE: TopOrder
TOP_ORDER_LAST_EVENT_TIME: TopOrder

class LeadIntelligence(_message.Message):
    __slots__ = ("lead_id", "as_of_time", "score", "stage", "velocity", "risk", "next_action", "churned", "thresholds", "top_rules", "last_event_time", "event_count", "attributes", "model_version", "fit", "conversion_probability")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    VELOCITY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    NEXT_ACTION_FIELD_NUMBER: _ClassVar[int]
    CHURNED_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    TOP_RULES_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    FIT_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    as_of_time: _timestamp_pb2.Timestamp
    score: int
    stage: str
    velocity: int
    risk: Risk
    next_action: str
    churned: bool
    thresholds: _containers.RepeatedCompositeFieldContainer[FiredThreshold]
    top_rules: _containers.RepeatedCompositeFieldContainer[RuleContribution]
    last_event_time: _timestamp_pb2.Timestamp
    event_count: int
    attributes: _struct_pb2.Struct
    model_version: int
    fit: Fit
    conversion_probability: ConversionProbability
    def __init__(self, lead_id: _Optional[str] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., score: _Optional[int] = ..., stage: _Optional[str] = ..., velocity: _Optional[int] = ..., risk: _Optional[_Union[Risk, str]] = ..., next_action: _Optional[str] = ..., churned: bool = ..., thresholds: _Optional[_Iterable[_Union[FiredThreshold, _Mapping]]] = ..., top_rules: _Optional[_Iterable[_Union[RuleContribution, _Mapping]]] = ..., last_event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_count: _Optional[int] = ..., attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., model_version: _Optional[int] = ..., fit: _Optional[_Union[Fit, _Mapping]] = ..., conversion_probability: _Optional[_Union[ConversionProbability, _Mapping]] = ...) -> None: ...

class ConversionProbability(_message.Message):
    __slots__ = ("probability", "low", "high", "lead_count", "landmark", "horizon")
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    LANDMARK_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    probability: float
    low: float
    high: float
    lead_count: int
    landmark: _duration_pb2.Duration
    horizon: _duration_pb2.Duration
    def __init__(self, probability: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., lead_count: _Optional[int] = ..., landmark: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., horizon: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Fit(_message.Message):
    __slots__ = ("points", "grade", "rating")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    points: int
    grade: str
    rating: str
    def __init__(self, points: _Optional[int] = ..., grade: _Optional[str] = ..., rating: _Optional[str] = ...) -> None: ...

class FiredThreshold(_message.Message):
    __slots__ = ("decided", "outcome", "explanation")
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    decided: str
    outcome: str
    explanation: str
    def __init__(self, decided: _Optional[str] = ..., outcome: _Optional[str] = ..., explanation: _Optional[str] = ...) -> None: ...

class RuleContribution(_message.Message):
    __slots__ = ("rule_id", "points")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    points: int
    def __init__(self, rule_id: _Optional[str] = ..., points: _Optional[int] = ...) -> None: ...

class GetLeadIntelligenceRequest(_message.Message):
    __slots__ = ("lead_id", "as_of_time")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    as_of_time: _timestamp_pb2.Timestamp
    def __init__(self, lead_id: _Optional[str] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetLeadIntelligenceResponse(_message.Message):
    __slots__ = ("lead_intelligence",)
    LEAD_INTELLIGENCE_FIELD_NUMBER: _ClassVar[int]
    lead_intelligence: LeadIntelligence
    def __init__(self, lead_intelligence: _Optional[_Union[LeadIntelligence, _Mapping]] = ...) -> None: ...

class BatchGetLeadIntelligenceRequest(_message.Message):
    __slots__ = ("lead_ids", "as_of_time", "read_mask", "attribute_names")
    LEAD_IDS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_NAMES_FIELD_NUMBER: _ClassVar[int]
    lead_ids: _containers.RepeatedScalarFieldContainer[str]
    as_of_time: _timestamp_pb2.Timestamp
    read_mask: _field_mask_pb2.FieldMask
    attribute_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, lead_ids: _Optional[_Iterable[str]] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., attribute_names: _Optional[_Iterable[str]] = ...) -> None: ...

class BatchGetLeadIntelligenceResponse(_message.Message):
    __slots__ = ("lead_intelligence", "missing_lead_ids")
    LEAD_INTELLIGENCE_FIELD_NUMBER: _ClassVar[int]
    MISSING_LEAD_IDS_FIELD_NUMBER: _ClassVar[int]
    lead_intelligence: _containers.RepeatedCompositeFieldContainer[LeadIntelligence]
    missing_lead_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, lead_intelligence: _Optional[_Iterable[_Union[LeadIntelligence, _Mapping]]] = ..., missing_lead_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class PreviewLeadIntelligenceRequest(_message.Message):
    __slots__ = ("lead_id", "events")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    events: _containers.RepeatedCompositeFieldContainer[HypotheticalEvent]
    def __init__(self, lead_id: _Optional[str] = ..., events: _Optional[_Iterable[_Union[HypotheticalEvent, _Mapping]]] = ...) -> None: ...

class HypotheticalEvent(_message.Message):
    __slots__ = ("event_type", "properties")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    properties: _struct_pb2.Struct
    def __init__(self, event_type: _Optional[str] = ..., properties: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class PreviewLeadIntelligenceResponse(_message.Message):
    __slots__ = ("lead_intelligence", "event_effects", "rule_effects")
    LEAD_INTELLIGENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_EFFECTS_FIELD_NUMBER: _ClassVar[int]
    RULE_EFFECTS_FIELD_NUMBER: _ClassVar[int]
    lead_intelligence: LeadIntelligence
    event_effects: _containers.RepeatedCompositeFieldContainer[EventEffect]
    rule_effects: _containers.RepeatedCompositeFieldContainer[EventEffect]
    def __init__(self, lead_intelligence: _Optional[_Union[LeadIntelligence, _Mapping]] = ..., event_effects: _Optional[_Iterable[_Union[EventEffect, _Mapping]]] = ..., rule_effects: _Optional[_Iterable[_Union[EventEffect, _Mapping]]] = ...) -> None: ...

class EventEffect(_message.Message):
    __slots__ = ("rule_id", "event_types", "delta", "score", "stage", "conversion_probability", "fit", "velocity", "next_action")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    FIT_FIELD_NUMBER: _ClassVar[int]
    VELOCITY_FIELD_NUMBER: _ClassVar[int]
    NEXT_ACTION_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    delta: int
    score: int
    stage: str
    conversion_probability: ConversionProbability
    fit: Fit
    velocity: int
    next_action: str
    def __init__(self, rule_id: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., delta: _Optional[int] = ..., score: _Optional[int] = ..., stage: _Optional[str] = ..., conversion_probability: _Optional[_Union[ConversionProbability, _Mapping]] = ..., fit: _Optional[_Union[Fit, _Mapping]] = ..., velocity: _Optional[int] = ..., next_action: _Optional[str] = ...) -> None: ...

class ListTopLeadsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "stage", "order")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    stage: str
    order: TopOrder
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., stage: _Optional[str] = ..., order: _Optional[_Union[TopOrder, str]] = ...) -> None: ...

class ListTopLeadsResponse(_message.Message):
    __slots__ = ("lead_intelligence", "next_page_token")
    LEAD_INTELLIGENCE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    lead_intelligence: _containers.RepeatedCompositeFieldContainer[LeadIntelligence]
    next_page_token: str
    def __init__(self, lead_intelligence: _Optional[_Iterable[_Union[LeadIntelligence, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetPipelineSummaryRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPipelineSummaryResponse(_message.Message):
    __slots__ = ("lead_count", "stages", "risks", "next_actions", "scores", "churned_count", "as_of_time", "model_version")
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    RISKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    CHURNED_COUNT_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    lead_count: int
    stages: _containers.RepeatedCompositeFieldContainer[Count]
    risks: _containers.RepeatedCompositeFieldContainer[Count]
    next_actions: _containers.RepeatedCompositeFieldContainer[Count]
    scores: _containers.RepeatedCompositeFieldContainer[ScoreRange]
    churned_count: int
    as_of_time: _timestamp_pb2.Timestamp
    model_version: int
    def __init__(self, lead_count: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[Count, _Mapping]]] = ..., risks: _Optional[_Iterable[_Union[Count, _Mapping]]] = ..., next_actions: _Optional[_Iterable[_Union[Count, _Mapping]]] = ..., scores: _Optional[_Iterable[_Union[ScoreRange, _Mapping]]] = ..., churned_count: _Optional[int] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., model_version: _Optional[int] = ...) -> None: ...

class Count(_message.Message):
    __slots__ = ("name", "lead_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    lead_count: int
    def __init__(self, name: _Optional[str] = ..., lead_count: _Optional[int] = ...) -> None: ...

class ScoreRange(_message.Message):
    __slots__ = ("minimum_score", "maximum_score", "lead_count")
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    minimum_score: int
    maximum_score: int
    lead_count: int
    def __init__(self, minimum_score: _Optional[int] = ..., maximum_score: _Optional[int] = ..., lead_count: _Optional[int] = ...) -> None: ...

class WatchLeadsRequest(_message.Message):
    __slots__ = ("stages", "minimum_score", "lead_ids", "resume_token")
    STAGES_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    LEAD_IDS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedScalarFieldContainer[str]
    minimum_score: int
    lead_ids: _containers.RepeatedScalarFieldContainer[str]
    resume_token: str
    def __init__(self, stages: _Optional[_Iterable[str]] = ..., minimum_score: _Optional[int] = ..., lead_ids: _Optional[_Iterable[str]] = ..., resume_token: _Optional[str] = ...) -> None: ...

class WatchLeadsResponse(_message.Message):
    __slots__ = ("resume_token", "change", "lead_intelligence")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    LEAD_INTELLIGENCE_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    change: LeadChange
    lead_intelligence: LeadIntelligence
    def __init__(self, resume_token: _Optional[str] = ..., change: _Optional[_Union[LeadChange, _Mapping]] = ..., lead_intelligence: _Optional[_Union[LeadIntelligence, _Mapping]] = ...) -> None: ...

class LeadChange(_message.Message):
    __slots__ = ("lead_id", "sequence", "score_before", "score_after", "stage_before", "stage_after", "event_types", "record_time")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SCORE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    SCORE_AFTER_FIELD_NUMBER: _ClassVar[int]
    STAGE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_AFTER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    RECORD_TIME_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    sequence: int
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    record_time: _timestamp_pb2.Timestamp
    def __init__(self, lead_id: _Optional[str] = ..., sequence: _Optional[int] = ..., score_before: _Optional[int] = ..., score_after: _Optional[int] = ..., stage_before: _Optional[str] = ..., stage_after: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., record_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
