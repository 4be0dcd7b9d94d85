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
    ERROR_REASON_MODEL_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_HISTORY_INCONSISTENT: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_OUTDATED: _ClassVar[ErrorReason]
    ERROR_REASON_EVENT_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_EVENT_NOT_SCORED: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_ID_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_DECAY_DATE_AHEAD: _ClassVar[ErrorReason]
    ERROR_REASON_ENGINE_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_LEAD_CONTENDED: _ClassVar[ErrorReason]
    ERROR_REASON_CALLER_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_ROLE_MISSING: _ClassVar[ErrorReason]

class LeadOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEAD_ORDER_UNSPECIFIED: _ClassVar[LeadOrder]
    LEAD_ORDER_SCORE: _ClassVar[LeadOrder]
    LEAD_ORDER_LAST_EVENT_TIME: _ClassVar[LeadOrder]
    LEAD_ORDER_LEAD_ID: _ClassVar[LeadOrder]

class EntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENTRY_KIND_UNSPECIFIED: _ClassVar[EntryKind]
    ENTRY_KIND_EVENT: _ClassVar[EntryKind]
    ENTRY_KIND_DECAY: _ClassVar[EntryKind]
    ENTRY_KIND_MODEL: _ClassVar[EntryKind]
    ENTRY_KIND_ADJUSTMENT: _ClassVar[EntryKind]
    ENTRY_KIND_RETRACTION: _ClassVar[EntryKind]
    ENTRY_KIND_RECALCULATION: _ClassVar[EntryKind]
    ENTRY_KIND_DECAY_RESET: _ClassVar[EntryKind]

class EventState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_STATE_UNSPECIFIED: _ClassVar[EventState]
    EVENT_STATE_PENDING: _ClassVar[EventState]
    EVENT_STATE_SCORED: _ClassVar[EventState]
    EVENT_STATE_PARKED: _ClassVar[EventState]
    EVENT_STATE_DISCARDED: _ClassVar[EventState]

class ParkReasonCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PARK_REASON_CODE_UNSPECIFIED: _ClassVar[ParkReasonCode]
    PARK_REASON_CODE_FAILED: _ClassVar[ParkReasonCode]
    PARK_REASON_CODE_WORKER_DIED: _ClassVar[ParkReasonCode]
    PARK_REASON_CODE_TOO_LARGE: _ClassVar[ParkReasonCode]

class PublicationMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PUBLICATION_MODE_UNSPECIFIED: _ClassVar[PublicationMode]
    PUBLICATION_MODE_FORWARD: _ClassVar[PublicationMode]
    PUBLICATION_MODE_RESCORE: _ClassVar[PublicationMode]
    PUBLICATION_MODE_REFOLD: _ClassVar[PublicationMode]

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_DRAFT: _ClassVar[ModelState]
    MODEL_STATE_IN_FORCE: _ClassVar[ModelState]
    MODEL_STATE_RETIRED: _ClassVar[ModelState]

class Period(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PERIOD_UNSPECIFIED: _ClassVar[Period]
    PERIOD_DAY: _ClassVar[Period]
    PERIOD_30_DAYS: _ClassVar[Period]
    PERIOD_EVER: _ClassVar[Period]

class Risk(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RISK_UNSPECIFIED: _ClassVar[Risk]
    RISK_LOW: _ClassVar[Risk]
    RISK_HIGH: _ClassVar[Risk]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_ARGUMENT_INVALID: ErrorReason
ERROR_REASON_PAGE_TOKEN_INVALID: ErrorReason
ERROR_REASON_LEAD_NOT_FOUND: ErrorReason
ERROR_REASON_MODEL_NOT_FOUND: ErrorReason
ERROR_REASON_HISTORY_INCONSISTENT: ErrorReason
ERROR_REASON_MODEL_INVALID: ErrorReason
ERROR_REASON_MODEL_OUTDATED: ErrorReason
ERROR_REASON_EVENT_NOT_FOUND: ErrorReason
ERROR_REASON_EVENT_NOT_SCORED: ErrorReason
ERROR_REASON_REQUEST_ID_CONFLICT: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_DECAY_DATE_AHEAD: ErrorReason
ERROR_REASON_ENGINE_MISMATCH: ErrorReason
ERROR_REASON_TOO_LARGE: ErrorReason
ERROR_REASON_LEAD_CONTENDED: ErrorReason
ERROR_REASON_CALLER_UNKNOWN: ErrorReason
ERROR_REASON_ROLE_MISSING: ErrorReason
LEAD_ORDER_UNSPECIFIED: LeadOrder
LEAD_ORDER_SCORE: LeadOrder
LEAD_ORDER_LAST_EVENT_TIME: LeadOrder
LEAD_ORDER_LEAD_ID: LeadOrder
ENTRY_KIND_UNSPECIFIED: EntryKind
ENTRY_KIND_EVENT: EntryKind
ENTRY_KIND_DECAY: EntryKind
ENTRY_KIND_MODEL: EntryKind
ENTRY_KIND_ADJUSTMENT: EntryKind
ENTRY_KIND_RETRACTION: EntryKind
ENTRY_KIND_RECALCULATION: EntryKind
ENTRY_KIND_DECAY_RESET: EntryKind
EVENT_STATE_UNSPECIFIED: EventState
EVENT_STATE_PENDING: EventState
EVENT_STATE_SCORED: EventState
EVENT_STATE_PARKED: EventState
EVENT_STATE_DISCARDED: EventState
PARK_REASON_CODE_UNSPECIFIED: ParkReasonCode
PARK_REASON_CODE_FAILED: ParkReasonCode
PARK_REASON_CODE_WORKER_DIED: ParkReasonCode
PARK_REASON_CODE_TOO_LARGE: ParkReasonCode
PUBLICATION_MODE_UNSPECIFIED: PublicationMode
PUBLICATION_MODE_FORWARD: PublicationMode
PUBLICATION_MODE_RESCORE: PublicationMode
PUBLICATION_MODE_REFOLD: PublicationMode
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_DRAFT: ModelState
MODEL_STATE_IN_FORCE: ModelState
MODEL_STATE_RETIRED: ModelState
PERIOD_UNSPECIFIED: Period
PERIOD_DAY: Period
PERIOD_30_DAYS: Period
PERIOD_EVER: Period
RISK_UNSPECIFIED: Risk
RISK_LOW: Risk
RISK_HIGH: Risk

class LeadScore(_message.Message):
    __slots__ = ("lead_id", "score", "stage", "event_count", "first_event_time", "last_event_time", "recent_event_count", "contributions", "attributes", "sequence", "model_version", "as_of_time", "fit_points", "fit_grade", "rating", "attributes_left_out", "last_event_historical", "conversion_probability")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    RECENT_EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    FIT_POINTS_FIELD_NUMBER: _ClassVar[int]
    FIT_GRADE_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_HISTORICAL_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    score: int
    stage: str
    event_count: int
    first_event_time: _timestamp_pb2.Timestamp
    last_event_time: _timestamp_pb2.Timestamp
    recent_event_count: int
    contributions: _containers.RepeatedCompositeFieldContainer[RuleContribution]
    attributes: _struct_pb2.Struct
    sequence: int
    model_version: int
    as_of_time: _timestamp_pb2.Timestamp
    fit_points: int
    fit_grade: str
    rating: str
    attributes_left_out: int
    last_event_historical: bool
    conversion_probability: ConversionProbability
    def __init__(self, lead_id: _Optional[str] = ..., score: _Optional[int] = ..., stage: _Optional[str] = ..., event_count: _Optional[int] = ..., first_event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., recent_event_count: _Optional[int] = ..., contributions: _Optional[_Iterable[_Union[RuleContribution, _Mapping]]] = ..., attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., sequence: _Optional[int] = ..., model_version: _Optional[int] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., fit_points: _Optional[int] = ..., fit_grade: _Optional[str] = ..., rating: _Optional[str] = ..., attributes_left_out: _Optional[int] = ..., last_event_historical: bool = ..., conversion_probability: _Optional[_Union[ConversionProbability, _Mapping]] = ...) -> None: ...

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

class RuleContribution(_message.Message):
    __slots__ = ("rule_id", "points")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    points: int
    def __init__(self, rule_id: _Optional[str] = ..., points: _Optional[int] = ...) -> None: ...

class GetLeadScoreRequest(_message.Message):
    __slots__ = ("lead_id", "as_of_time")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    as_of_time: _timestamp_pb2.Timestamp
    def __init__(self, lead_id: _Optional[str] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetLeadScoreResponse(_message.Message):
    __slots__ = ("lead_score",)
    LEAD_SCORE_FIELD_NUMBER: _ClassVar[int]
    lead_score: LeadScore
    def __init__(self, lead_score: _Optional[_Union[LeadScore, _Mapping]] = ...) -> None: ...

class BatchGetLeadScoresRequest(_message.Message):
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

class BatchGetLeadScoresResponse(_message.Message):
    __slots__ = ("lead_scores", "missing_lead_ids")
    LEAD_SCORES_FIELD_NUMBER: _ClassVar[int]
    MISSING_LEAD_IDS_FIELD_NUMBER: _ClassVar[int]
    lead_scores: _containers.RepeatedCompositeFieldContainer[LeadScore]
    missing_lead_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, lead_scores: _Optional[_Iterable[_Union[LeadScore, _Mapping]]] = ..., missing_lead_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ListLeadScoresRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "order", "stage", "minimum_score", "active_since")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_SINCE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    order: LeadOrder
    stage: str
    minimum_score: int
    active_since: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., order: _Optional[_Union[LeadOrder, str]] = ..., stage: _Optional[str] = ..., minimum_score: _Optional[int] = ..., active_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListLeadScoresResponse(_message.Message):
    __slots__ = ("lead_scores", "next_page_token")
    LEAD_SCORES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    lead_scores: _containers.RepeatedCompositeFieldContainer[LeadScore]
    next_page_token: str
    def __init__(self, lead_scores: _Optional[_Iterable[_Union[LeadScore, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListInactiveLeadsRequest(_message.Message):
    __slots__ = ("inactive_since", "page_size", "page_token")
    INACTIVE_SINCE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    inactive_since: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, inactive_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListInactiveLeadsResponse(_message.Message):
    __slots__ = ("inactive_leads", "next_page_token", "decayed_through_date")
    INACTIVE_LEADS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DECAYED_THROUGH_DATE_FIELD_NUMBER: _ClassVar[int]
    inactive_leads: _containers.RepeatedCompositeFieldContainer[InactiveLead]
    next_page_token: str
    decayed_through_date: str
    def __init__(self, inactive_leads: _Optional[_Iterable[_Union[InactiveLead, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., decayed_through_date: _Optional[str] = ...) -> None: ...

class InactiveLead(_message.Message):
    __slots__ = ("lead_id", "score", "stage", "last_event_time", "sequence")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    score: int
    stage: str
    last_event_time: _timestamp_pb2.Timestamp
    sequence: int
    def __init__(self, lead_id: _Optional[str] = ..., score: _Optional[int] = ..., stage: _Optional[str] = ..., last_event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class CountLeadsRequest(_message.Message):
    __slots__ = ("minimum_scores", "recent", "idle", "max_recent_event_counts")
    MINIMUM_SCORES_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    MAX_RECENT_EVENT_COUNTS_FIELD_NUMBER: _ClassVar[int]
    minimum_scores: _containers.RepeatedScalarFieldContainer[int]
    recent: _duration_pb2.Duration
    idle: _duration_pb2.Duration
    max_recent_event_counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, minimum_scores: _Optional[_Iterable[int]] = ..., recent: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., idle: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_recent_event_counts: _Optional[_Iterable[int]] = ...) -> None: ...

class CountLeadsResponse(_message.Message):
    __slots__ = ("groups", "as_of_time")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[LeadGroup]
    as_of_time: _timestamp_pb2.Timestamp
    def __init__(self, groups: _Optional[_Iterable[_Union[LeadGroup, _Mapping]]] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LeadGroup(_message.Message):
    __slots__ = ("minimum_score", "recent_event_count", "idle", "lead_count")
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    RECENT_EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    minimum_score: int
    recent_event_count: int
    idle: bool
    lead_count: int
    def __init__(self, minimum_score: _Optional[int] = ..., recent_event_count: _Optional[int] = ..., idle: bool = ..., lead_count: _Optional[int] = ...) -> None: ...

class PreviewLeadScoreRequest(_message.Message):
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

class PreviewLeadScoreResponse(_message.Message):
    __slots__ = ("lead_score", "event_effects", "rule_effects")
    LEAD_SCORE_FIELD_NUMBER: _ClassVar[int]
    EVENT_EFFECTS_FIELD_NUMBER: _ClassVar[int]
    RULE_EFFECTS_FIELD_NUMBER: _ClassVar[int]
    lead_score: LeadScore
    event_effects: _containers.RepeatedCompositeFieldContainer[ScoreEffect]
    rule_effects: _containers.RepeatedCompositeFieldContainer[ScoreEffect]
    def __init__(self, lead_score: _Optional[_Union[LeadScore, _Mapping]] = ..., event_effects: _Optional[_Iterable[_Union[ScoreEffect, _Mapping]]] = ..., rule_effects: _Optional[_Iterable[_Union[ScoreEffect, _Mapping]]] = ...) -> None: ...

class ScoreEffect(_message.Message):
    __slots__ = ("rule_id", "event_types", "delta", "score", "stage", "conversion_probability", "fit_points", "fit_grade", "rating")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    FIT_POINTS_FIELD_NUMBER: _ClassVar[int]
    FIT_GRADE_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    delta: int
    score: int
    stage: str
    conversion_probability: ConversionProbability
    fit_points: int
    fit_grade: str
    rating: str
    def __init__(self, rule_id: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., delta: _Optional[int] = ..., score: _Optional[int] = ..., stage: _Optional[str] = ..., conversion_probability: _Optional[_Union[ConversionProbability, _Mapping]] = ..., fit_points: _Optional[int] = ..., fit_grade: _Optional[str] = ..., rating: _Optional[str] = ...) -> None: ...

class ScoreEntry(_message.Message):
    __slots__ = ("lead_id", "sequence", "kind", "event_id", "event_type", "rule_id", "model_version", "points", "delta", "score_before", "score_after", "stage_before", "stage_after", "event_time", "record_time", "reason", "actor", "first_tick_date", "last_tick_date", "tick_count", "properties", "historical")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    SCORE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    SCORE_AFTER_FIELD_NUMBER: _ClassVar[int]
    STAGE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_AFTER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    RECORD_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    FIRST_TICK_DATE_FIELD_NUMBER: _ClassVar[int]
    LAST_TICK_DATE_FIELD_NUMBER: _ClassVar[int]
    TICK_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    HISTORICAL_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    sequence: int
    kind: EntryKind
    event_id: str
    event_type: str
    rule_id: str
    model_version: int
    points: int
    delta: int
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    event_time: _timestamp_pb2.Timestamp
    record_time: _timestamp_pb2.Timestamp
    reason: str
    actor: str
    first_tick_date: str
    last_tick_date: str
    tick_count: int
    properties: _struct_pb2.Struct
    historical: bool
    def __init__(self, lead_id: _Optional[str] = ..., sequence: _Optional[int] = ..., kind: _Optional[_Union[EntryKind, str]] = ..., event_id: _Optional[str] = ..., event_type: _Optional[str] = ..., rule_id: _Optional[str] = ..., model_version: _Optional[int] = ..., points: _Optional[int] = ..., delta: _Optional[int] = ..., score_before: _Optional[int] = ..., score_after: _Optional[int] = ..., stage_before: _Optional[str] = ..., stage_after: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., record_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., first_tick_date: _Optional[str] = ..., last_tick_date: _Optional[str] = ..., tick_count: _Optional[int] = ..., properties: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., historical: bool = ...) -> None: ...

class ListScoreHistoryRequest(_message.Message):
    __slots__ = ("lead_id", "page_size", "page_token", "newest_first")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    page_size: int
    page_token: str
    newest_first: bool
    def __init__(self, lead_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., newest_first: bool = ...) -> None: ...

class ListScoreHistoryResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[ScoreEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[ScoreEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListScoreEntriesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "kinds", "from_time", "until_time")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    kinds: _containers.RepeatedScalarFieldContainer[EntryKind]
    from_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., kinds: _Optional[_Iterable[_Union[EntryKind, str]]] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListScoreEntriesResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[ScoreEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[ScoreEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AcceptedEvent(_message.Message):
    __slots__ = ("event_id", "lead_id", "event_type", "event_time", "properties", "source", "state", "accept_time", "sent_time", "original_event_time", "historical", "cut_properties", "properties_left_out")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    SENT_TIME_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    HISTORICAL_FIELD_NUMBER: _ClassVar[int]
    CUT_PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    lead_id: str
    event_type: str
    event_time: _timestamp_pb2.Timestamp
    properties: _struct_pb2.Struct
    source: str
    state: EventState
    accept_time: _timestamp_pb2.Timestamp
    sent_time: _timestamp_pb2.Timestamp
    original_event_time: _timestamp_pb2.Timestamp
    historical: bool
    cut_properties: _containers.RepeatedScalarFieldContainer[str]
    properties_left_out: int
    def __init__(self, event_id: _Optional[str] = ..., lead_id: _Optional[str] = ..., event_type: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., properties: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., source: _Optional[str] = ..., state: _Optional[_Union[EventState, str]] = ..., accept_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sent_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., original_event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., historical: bool = ..., cut_properties: _Optional[_Iterable[str]] = ..., properties_left_out: _Optional[int] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "from_time", "until_time")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    from_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[AcceptedEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[AcceptedEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class JudgeEventsRequest(_message.Message):
    __slots__ = ("lead_ids", "event_ids")
    LEAD_IDS_FIELD_NUMBER: _ClassVar[int]
    EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    lead_ids: _containers.RepeatedScalarFieldContainer[str]
    event_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, lead_ids: _Optional[_Iterable[str]] = ..., event_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class JudgeEventsResponse(_message.Message):
    __slots__ = ("judged_events",)
    JUDGED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    judged_events: _containers.RepeatedCompositeFieldContainer[JudgedEvents]
    def __init__(self, judged_events: _Optional[_Iterable[_Union[JudgedEvents, _Mapping]]] = ...) -> None: ...

class JudgedEvents(_message.Message):
    __slots__ = ("event_ids", "verdicts")
    EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    event_ids: _containers.RepeatedScalarFieldContainer[str]
    verdicts: _containers.RepeatedCompositeFieldContainer[Verdict]
    def __init__(self, event_ids: _Optional[_Iterable[str]] = ..., verdicts: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("model_version", "rule_id")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    model_version: int
    rule_id: str
    def __init__(self, model_version: _Optional[int] = ..., rule_id: _Optional[str] = ...) -> None: ...

class DecayScoresRequest(_message.Message):
    __slots__ = ("as_of_time", "dry_run")
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    as_of_time: _timestamp_pb2.Timestamp
    dry_run: bool
    def __init__(self, as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dry_run: bool = ...) -> None: ...

class DecayScoresResponse(_message.Message):
    __slots__ = ("through_date", "leads_checked", "leads_total", "leads_changed", "entries_appended", "points_removed", "done", "dry_run")
    THROUGH_DATE_FIELD_NUMBER: _ClassVar[int]
    LEADS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    LEADS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    LEADS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_APPENDED_FIELD_NUMBER: _ClassVar[int]
    POINTS_REMOVED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    through_date: str
    leads_checked: int
    leads_total: int
    leads_changed: int
    entries_appended: int
    points_removed: int
    done: bool
    dry_run: bool
    def __init__(self, through_date: _Optional[str] = ..., leads_checked: _Optional[int] = ..., leads_total: _Optional[int] = ..., leads_changed: _Optional[int] = ..., entries_appended: _Optional[int] = ..., points_removed: _Optional[int] = ..., done: bool = ..., dry_run: bool = ...) -> None: ...

class ResetDecayRequest(_message.Message):
    __slots__ = ("to_date", "reason", "actor")
    TO_DATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    to_date: str
    reason: str
    actor: str
    def __init__(self, to_date: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class ResetDecayResponse(_message.Message):
    __slots__ = ("to_date", "leads_checked", "leads_total", "leads_changed", "points_restored", "done")
    TO_DATE_FIELD_NUMBER: _ClassVar[int]
    LEADS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    LEADS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    LEADS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    POINTS_RESTORED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    to_date: str
    leads_checked: int
    leads_total: int
    leads_changed: int
    points_restored: int
    done: bool
    def __init__(self, to_date: _Optional[str] = ..., leads_checked: _Optional[int] = ..., leads_total: _Optional[int] = ..., leads_changed: _Optional[int] = ..., points_restored: _Optional[int] = ..., done: bool = ...) -> None: ...

class RebuildLeadScoreRequest(_message.Message):
    __slots__ = ("lead_id",)
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    def __init__(self, lead_id: _Optional[str] = ...) -> None: ...

class RebuildLeadScoreResponse(_message.Message):
    __slots__ = ("lead_score", "changed", "score_before")
    LEAD_SCORE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SCORE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    lead_score: LeadScore
    changed: bool
    score_before: int
    def __init__(self, lead_score: _Optional[_Union[LeadScore, _Mapping]] = ..., changed: bool = ..., score_before: _Optional[int] = ...) -> None: ...

class VerifyScoresRequest(_message.Message):
    __slots__ = ("resume_token", "counts_only")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    COUNTS_ONLY_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    counts_only: bool
    def __init__(self, resume_token: _Optional[str] = ..., counts_only: bool = ...) -> None: ...

class VerifyScoresResponse(_message.Message):
    __slots__ = ("leads_checked", "leads_total", "entries_checked", "events_checked", "events_pending", "violations", "violations_total", "done", "events_parked", "events_discarded", "resume_token", "events_total")
    LEADS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    LEADS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_CHECKED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_PENDING_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_PARKED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_DISCARDED_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EVENTS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    leads_checked: int
    leads_total: int
    entries_checked: int
    events_checked: int
    events_pending: int
    violations: _containers.RepeatedCompositeFieldContainer[Violation]
    violations_total: int
    done: bool
    events_parked: int
    events_discarded: int
    resume_token: str
    events_total: int
    def __init__(self, leads_checked: _Optional[int] = ..., leads_total: _Optional[int] = ..., entries_checked: _Optional[int] = ..., events_checked: _Optional[int] = ..., events_pending: _Optional[int] = ..., violations: _Optional[_Iterable[_Union[Violation, _Mapping]]] = ..., violations_total: _Optional[int] = ..., done: bool = ..., events_parked: _Optional[int] = ..., events_discarded: _Optional[int] = ..., resume_token: _Optional[str] = ..., events_total: _Optional[int] = ...) -> None: ...

class Violation(_message.Message):
    __slots__ = ("invariant", "lead_id", "message")
    INVARIANT_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    invariant: str
    lead_id: str
    message: str
    def __init__(self, invariant: _Optional[str] = ..., lead_id: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class GetScoringBacklogRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetScoringBacklogResponse(_message.Message):
    __slots__ = ("pending_events", "oldest_accept_time", "parked_events", "stopped_drain", "discarded_events", "partitions_behind", "heaviest_leads", "isolated_events", "decayed_through", "rollout")
    PENDING_EVENTS_FIELD_NUMBER: _ClassVar[int]
    OLDEST_ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    PARKED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    STOPPED_DRAIN_FIELD_NUMBER: _ClassVar[int]
    DISCARDED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_BEHIND_FIELD_NUMBER: _ClassVar[int]
    HEAVIEST_LEADS_FIELD_NUMBER: _ClassVar[int]
    ISOLATED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    DECAYED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    pending_events: int
    oldest_accept_time: _timestamp_pb2.Timestamp
    parked_events: int
    stopped_drain: StoppedDrain
    discarded_events: int
    partitions_behind: _containers.RepeatedCompositeFieldContainer[PartitionBehind]
    heaviest_leads: _containers.RepeatedCompositeFieldContainer[HeavyLead]
    isolated_events: _containers.RepeatedCompositeFieldContainer[IsolatedEvents]
    decayed_through: DecayedThrough
    rollout: ModelRollout
    def __init__(self, pending_events: _Optional[int] = ..., oldest_accept_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., parked_events: _Optional[int] = ..., stopped_drain: _Optional[_Union[StoppedDrain, _Mapping]] = ..., discarded_events: _Optional[int] = ..., partitions_behind: _Optional[_Iterable[_Union[PartitionBehind, _Mapping]]] = ..., heaviest_leads: _Optional[_Iterable[_Union[HeavyLead, _Mapping]]] = ..., isolated_events: _Optional[_Iterable[_Union[IsolatedEvents, _Mapping]]] = ..., decayed_through: _Optional[_Union[DecayedThrough, _Mapping]] = ..., rollout: _Optional[_Union[ModelRollout, _Mapping]] = ...) -> None: ...

class PartitionBehind(_message.Message):
    __slots__ = ("partition", "oldest_accept_time", "pending_events")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OLDEST_ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    PENDING_EVENTS_FIELD_NUMBER: _ClassVar[int]
    partition: int
    oldest_accept_time: _timestamp_pb2.Timestamp
    pending_events: int
    def __init__(self, partition: _Optional[int] = ..., oldest_accept_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pending_events: _Optional[int] = ...) -> None: ...

class HeavyLead(_message.Message):
    __slots__ = ("lead_id", "pending_events")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    PENDING_EVENTS_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    pending_events: int
    def __init__(self, lead_id: _Optional[str] = ..., pending_events: _Optional[int] = ...) -> None: ...

class IsolatedEvents(_message.Message):
    __slots__ = ("attempts", "event_count")
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    attempts: int
    event_count: int
    def __init__(self, attempts: _Optional[int] = ..., event_count: _Optional[int] = ...) -> None: ...

class DecayedThrough(_message.Message):
    __slots__ = ("earliest_date", "latest_date", "days_behind")
    EARLIEST_DATE_FIELD_NUMBER: _ClassVar[int]
    LATEST_DATE_FIELD_NUMBER: _ClassVar[int]
    DAYS_BEHIND_FIELD_NUMBER: _ClassVar[int]
    earliest_date: str
    latest_date: str
    days_behind: int
    def __init__(self, earliest_date: _Optional[str] = ..., latest_date: _Optional[str] = ..., days_behind: _Optional[int] = ...) -> None: ...

class ModelRollout(_message.Message):
    __slots__ = ("publication", "version", "publish_time")
    PUBLICATION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_TIME_FIELD_NUMBER: _ClassVar[int]
    publication: int
    version: int
    publish_time: _timestamp_pb2.Timestamp
    def __init__(self, publication: _Optional[int] = ..., version: _Optional[int] = ..., publish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class StoppedDrain(_message.Message):
    __slots__ = ("error", "failed_events", "stop_time")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FAILED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    STOP_TIME_FIELD_NUMBER: _ClassVar[int]
    error: str
    failed_events: int
    stop_time: _timestamp_pb2.Timestamp
    def __init__(self, error: _Optional[str] = ..., failed_events: _Optional[int] = ..., stop_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListParkedEventsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListParkedEventsResponse(_message.Message):
    __slots__ = ("parked_events", "next_page_token")
    PARKED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parked_events: _containers.RepeatedCompositeFieldContainer[ParkedEvent]
    next_page_token: str
    def __init__(self, parked_events: _Optional[_Iterable[_Union[ParkedEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ParkedEvent(_message.Message):
    __slots__ = ("event_id", "lead_id", "attempts", "reason", "park_time", "reason_code")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PARK_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    lead_id: str
    attempts: int
    reason: str
    park_time: _timestamp_pb2.Timestamp
    reason_code: ParkReasonCode
    def __init__(self, event_id: _Optional[str] = ..., lead_id: _Optional[str] = ..., attempts: _Optional[int] = ..., reason: _Optional[str] = ..., park_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason_code: _Optional[_Union[ParkReasonCode, str]] = ...) -> None: ...

class RetryParkedEventsRequest(_message.Message):
    __slots__ = ("event_ids", "all")
    EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    event_ids: _containers.RepeatedScalarFieldContainer[str]
    all: bool
    def __init__(self, event_ids: _Optional[_Iterable[str]] = ..., all: bool = ...) -> None: ...

class RetryParkedEventsResponse(_message.Message):
    __slots__ = ("retried_count",)
    RETRIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    retried_count: int
    def __init__(self, retried_count: _Optional[int] = ...) -> None: ...

class DiscardParkedEventsRequest(_message.Message):
    __slots__ = ("event_ids", "all", "reason", "actor")
    EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    event_ids: _containers.RepeatedScalarFieldContainer[str]
    all: bool
    reason: str
    actor: str
    def __init__(self, event_ids: _Optional[_Iterable[str]] = ..., all: bool = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class DiscardParkedEventsResponse(_message.Message):
    __slots__ = ("discarded_count",)
    DISCARDED_COUNT_FIELD_NUMBER: _ClassVar[int]
    discarded_count: int
    def __init__(self, discarded_count: _Optional[int] = ...) -> None: ...

class AdjustLeadScoreRequest(_message.Message):
    __slots__ = ("lead_id", "delta", "target", "reason", "actor", "request_id")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    delta: int
    target: int
    reason: str
    actor: str
    request_id: str
    def __init__(self, lead_id: _Optional[str] = ..., delta: _Optional[int] = ..., target: _Optional[int] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class AdjustLeadScoreResponse(_message.Message):
    __slots__ = ("entry",)
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    entry: ScoreEntry
    def __init__(self, entry: _Optional[_Union[ScoreEntry, _Mapping]] = ...) -> None: ...

class RetractEventRequest(_message.Message):
    __slots__ = ("event_id", "reason", "actor")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    reason: str
    actor: str
    def __init__(self, event_id: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class RetractEventResponse(_message.Message):
    __slots__ = ("entry", "lead_id", "discarded")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    DISCARDED_FIELD_NUMBER: _ClassVar[int]
    entry: ScoreEntry
    lead_id: str
    discarded: bool
    def __init__(self, entry: _Optional[_Union[ScoreEntry, _Mapping]] = ..., lead_id: _Optional[str] = ..., discarded: bool = ...) -> None: ...

class RebuildLeadScoresRequest(_message.Message):
    __slots__ = ("check_only",)
    CHECK_ONLY_FIELD_NUMBER: _ClassVar[int]
    check_only: bool
    def __init__(self, check_only: bool = ...) -> None: ...

class RebuildLeadScoresResponse(_message.Message):
    __slots__ = ("leads_checked", "leads_total", "leads_changed", "changed_lead_ids", "done")
    LEADS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    LEADS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    LEADS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_LEAD_IDS_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    leads_checked: int
    leads_total: int
    leads_changed: int
    changed_lead_ids: _containers.RepeatedScalarFieldContainer[str]
    done: bool
    def __init__(self, leads_checked: _Optional[int] = ..., leads_total: _Optional[int] = ..., leads_changed: _Optional[int] = ..., changed_lead_ids: _Optional[_Iterable[str]] = ..., done: bool = ...) -> None: ...

class GetScoringModelRequest(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class GetScoringModelResponse(_message.Message):
    __slots__ = ("scoring_model",)
    SCORING_MODEL_FIELD_NUMBER: _ClassVar[int]
    scoring_model: ScoringModel
    def __init__(self, scoring_model: _Optional[_Union[ScoringModel, _Mapping]] = ...) -> None: ...

class ListScoringModelsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListScoringModelsResponse(_message.Message):
    __slots__ = ("scoring_models", "next_page_token")
    SCORING_MODELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    scoring_models: _containers.RepeatedCompositeFieldContainer[ScoringModel]
    next_page_token: str
    def __init__(self, scoring_models: _Optional[_Iterable[_Union[ScoringModel, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateScoringModelRequest(_message.Message):
    __slots__ = ("scoring_model", "validate_only")
    SCORING_MODEL_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    scoring_model: ScoringModel
    validate_only: bool
    def __init__(self, scoring_model: _Optional[_Union[ScoringModel, _Mapping]] = ..., validate_only: bool = ...) -> None: ...

class CreateScoringModelResponse(_message.Message):
    __slots__ = ("scoring_model", "type_mismatches")
    SCORING_MODEL_FIELD_NUMBER: _ClassVar[int]
    TYPE_MISMATCHES_FIELD_NUMBER: _ClassVar[int]
    scoring_model: ScoringModel
    type_mismatches: _containers.RepeatedCompositeFieldContainer[TypeMismatch]
    def __init__(self, scoring_model: _Optional[_Union[ScoringModel, _Mapping]] = ..., type_mismatches: _Optional[_Iterable[_Union[TypeMismatch, _Mapping]]] = ...) -> None: ...

class PublishScoringModelRequest(_message.Message):
    __slots__ = ("version", "base_version", "mode", "actor", "note", "quiet")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BASE_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    QUIET_FIELD_NUMBER: _ClassVar[int]
    version: int
    base_version: int
    mode: PublicationMode
    actor: str
    note: str
    quiet: bool
    def __init__(self, version: _Optional[int] = ..., base_version: _Optional[int] = ..., mode: _Optional[_Union[PublicationMode, str]] = ..., actor: _Optional[str] = ..., note: _Optional[str] = ..., quiet: bool = ...) -> None: ...

class PublishScoringModelResponse(_message.Message):
    __slots__ = ("publication",)
    PUBLICATION_FIELD_NUMBER: _ClassVar[int]
    publication: ModelPublication
    def __init__(self, publication: _Optional[_Union[ModelPublication, _Mapping]] = ...) -> None: ...

class ListModelPublicationsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelPublicationsResponse(_message.Message):
    __slots__ = ("publications", "next_page_token")
    PUBLICATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    publications: _containers.RepeatedCompositeFieldContainer[ModelPublication]
    next_page_token: str
    def __init__(self, publications: _Optional[_Iterable[_Union[ModelPublication, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ModelPublication(_message.Message):
    __slots__ = ("publication", "version", "base_version", "mode", "publish_time", "actor", "note", "leads_left", "quiet")
    PUBLICATION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BASE_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    LEADS_LEFT_FIELD_NUMBER: _ClassVar[int]
    QUIET_FIELD_NUMBER: _ClassVar[int]
    publication: int
    version: int
    base_version: int
    mode: PublicationMode
    publish_time: _timestamp_pb2.Timestamp
    actor: str
    note: str
    leads_left: int
    quiet: bool
    def __init__(self, publication: _Optional[int] = ..., version: _Optional[int] = ..., base_version: _Optional[int] = ..., mode: _Optional[_Union[PublicationMode, str]] = ..., publish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., note: _Optional[str] = ..., leads_left: _Optional[int] = ..., quiet: bool = ...) -> None: ...

class SimulateScoringModelRequest(_message.Message):
    __slots__ = ("draft", "version", "conversion_event_types", "landmarks", "lost_event_types", "horizon", "train_before", "as_known")
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    LANDMARKS_FIELD_NUMBER: _ClassVar[int]
    LOST_EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    TRAIN_BEFORE_FIELD_NUMBER: _ClassVar[int]
    AS_KNOWN_FIELD_NUMBER: _ClassVar[int]
    draft: ScoringModel
    version: int
    conversion_event_types: _containers.RepeatedScalarFieldContainer[str]
    landmarks: _containers.RepeatedCompositeFieldContainer[_duration_pb2.Duration]
    lost_event_types: _containers.RepeatedScalarFieldContainer[str]
    horizon: _duration_pb2.Duration
    train_before: _timestamp_pb2.Timestamp
    as_known: bool
    def __init__(self, draft: _Optional[_Union[ScoringModel, _Mapping]] = ..., version: _Optional[int] = ..., conversion_event_types: _Optional[_Iterable[str]] = ..., landmarks: _Optional[_Iterable[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]]] = ..., lost_event_types: _Optional[_Iterable[str]] = ..., horizon: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., train_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., as_known: bool = ...) -> None: ...

class SimulateScoringModelResponse(_message.Message):
    __slots__ = ("leads_checked", "leads_total", "differences", "summary", "done")
    LEADS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    LEADS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    leads_checked: int
    leads_total: int
    differences: _containers.RepeatedCompositeFieldContainer[LeadDifference]
    summary: SimulationSummary
    done: bool
    def __init__(self, leads_checked: _Optional[int] = ..., leads_total: _Optional[int] = ..., differences: _Optional[_Iterable[_Union[LeadDifference, _Mapping]]] = ..., summary: _Optional[_Union[SimulationSummary, _Mapping]] = ..., done: bool = ...) -> None: ...

class LeadDifference(_message.Message):
    __slots__ = ("lead_id", "score_before", "score_after", "stage_before", "stage_after", "fit_grade_before", "fit_grade_after", "last_event_historical")
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    SCORE_AFTER_FIELD_NUMBER: _ClassVar[int]
    STAGE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    STAGE_AFTER_FIELD_NUMBER: _ClassVar[int]
    FIT_GRADE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    FIT_GRADE_AFTER_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_HISTORICAL_FIELD_NUMBER: _ClassVar[int]
    lead_id: str
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    fit_grade_before: str
    fit_grade_after: str
    last_event_historical: bool
    def __init__(self, lead_id: _Optional[str] = ..., score_before: _Optional[int] = ..., score_after: _Optional[int] = ..., stage_before: _Optional[str] = ..., stage_after: _Optional[str] = ..., fit_grade_before: _Optional[str] = ..., fit_grade_after: _Optional[str] = ..., last_event_historical: bool = ...) -> None: ...

class SimulationSummary(_message.Message):
    __slots__ = ("leads_changed", "points_before", "points_after", "stages", "fit_grades", "rules", "unknown_event_types", "judgements", "leaks", "type_mismatches", "began_before_count", "horizon")
    LEADS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    POINTS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    POINTS_AFTER_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    FIT_GRADES_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    JUDGEMENTS_FIELD_NUMBER: _ClassVar[int]
    LEAKS_FIELD_NUMBER: _ClassVar[int]
    TYPE_MISMATCHES_FIELD_NUMBER: _ClassVar[int]
    BEGAN_BEFORE_COUNT_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    leads_changed: int
    points_before: int
    points_after: int
    stages: _containers.RepeatedCompositeFieldContainer[Migration]
    fit_grades: _containers.RepeatedCompositeFieldContainer[Migration]
    rules: _containers.RepeatedCompositeFieldContainer[RuleShare]
    unknown_event_types: _containers.RepeatedCompositeFieldContainer[UnknownEventType]
    judgements: _containers.RepeatedCompositeFieldContainer[Judgement]
    leaks: _containers.RepeatedCompositeFieldContainer[Leak]
    type_mismatches: _containers.RepeatedCompositeFieldContainer[TypeMismatch]
    began_before_count: int
    horizon: _duration_pb2.Duration
    def __init__(self, leads_changed: _Optional[int] = ..., points_before: _Optional[int] = ..., points_after: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[Migration, _Mapping]]] = ..., fit_grades: _Optional[_Iterable[_Union[Migration, _Mapping]]] = ..., rules: _Optional[_Iterable[_Union[RuleShare, _Mapping]]] = ..., unknown_event_types: _Optional[_Iterable[_Union[UnknownEventType, _Mapping]]] = ..., judgements: _Optional[_Iterable[_Union[Judgement, _Mapping]]] = ..., leaks: _Optional[_Iterable[_Union[Leak, _Mapping]]] = ..., type_mismatches: _Optional[_Iterable[_Union[TypeMismatch, _Mapping]]] = ..., began_before_count: _Optional[int] = ..., horizon: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Judgement(_message.Message):
    __slots__ = ("landmark", "decided_before_count", "censored_count", "before", "after", "comparison", "recorded_later_count")
    LANDMARK_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BEFORE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CENSORED_COUNT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    RECORDED_LATER_COUNT_FIELD_NUMBER: _ClassVar[int]
    landmark: _duration_pb2.Duration
    decided_before_count: int
    censored_count: int
    before: Ranking
    after: Ranking
    comparison: Comparison
    recorded_later_count: int
    def __init__(self, landmark: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., decided_before_count: _Optional[int] = ..., censored_count: _Optional[int] = ..., before: _Optional[_Union[Ranking, _Mapping]] = ..., after: _Optional[_Union[Ranking, _Mapping]] = ..., comparison: _Optional[_Union[Comparison, _Mapping]] = ..., recorded_later_count: _Optional[int] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("auc_difference", "p_value")
    AUC_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    auc_difference: float
    p_value: float
    def __init__(self, auc_difference: _Optional[float] = ..., p_value: _Optional[float] = ...) -> None: ...

class Leak(_message.Message):
    __slots__ = ("rule_id", "event_count", "followed_count")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FOLLOWED_COUNT_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    event_count: int
    followed_count: int
    def __init__(self, rule_id: _Optional[str] = ..., event_count: _Optional[int] = ..., followed_count: _Optional[int] = ...) -> None: ...

class TypeMismatch(_message.Message):
    __slots__ = ("field", "rule_id", "property", "expected_type", "found_type", "count")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    PROPERTY_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_TYPE_FIELD_NUMBER: _ClassVar[int]
    FOUND_TYPE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    field: str
    rule_id: str
    property: str
    expected_type: str
    found_type: str
    count: int
    def __init__(self, field: _Optional[str] = ..., rule_id: _Optional[str] = ..., property: _Optional[str] = ..., expected_type: _Optional[str] = ..., found_type: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class Migration(_message.Message):
    __slots__ = ("before", "after", "lead_count")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    before: str
    after: str
    lead_count: int
    def __init__(self, before: _Optional[str] = ..., after: _Optional[str] = ..., lead_count: _Optional[int] = ...) -> None: ...

class RuleShare(_message.Message):
    __slots__ = ("rule_id", "event_count", "points", "share")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    event_count: int
    points: int
    share: float
    def __init__(self, rule_id: _Optional[str] = ..., event_count: _Optional[int] = ..., points: _Optional[int] = ..., share: _Optional[float] = ...) -> None: ...

class UnknownEventType(_message.Message):
    __slots__ = ("event_type", "event_count")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    event_count: int
    def __init__(self, event_type: _Optional[str] = ..., event_count: _Optional[int] = ...) -> None: ...

class Ranking(_message.Message):
    __slots__ = ("lead_count", "converted_count", "auc", "auc_low", "auc_high", "average_precision", "stages", "deciles", "reliability", "ranges")
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONVERTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    AUC_FIELD_NUMBER: _ClassVar[int]
    AUC_LOW_FIELD_NUMBER: _ClassVar[int]
    AUC_HIGH_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRECISION_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    DECILES_FIELD_NUMBER: _ClassVar[int]
    RELIABILITY_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    lead_count: int
    converted_count: int
    auc: float
    auc_low: float
    auc_high: float
    average_precision: float
    stages: _containers.RepeatedCompositeFieldContainer[ConversionRate]
    deciles: _containers.RepeatedCompositeFieldContainer[ConversionRate]
    reliability: Reliability
    ranges: _containers.RepeatedCompositeFieldContainer[ScoreRange]
    def __init__(self, lead_count: _Optional[int] = ..., converted_count: _Optional[int] = ..., auc: _Optional[float] = ..., auc_low: _Optional[float] = ..., auc_high: _Optional[float] = ..., average_precision: _Optional[float] = ..., stages: _Optional[_Iterable[_Union[ConversionRate, _Mapping]]] = ..., deciles: _Optional[_Iterable[_Union[ConversionRate, _Mapping]]] = ..., reliability: _Optional[_Union[Reliability, _Mapping]] = ..., ranges: _Optional[_Iterable[_Union[ScoreRange, _Mapping]]] = ...) -> None: ...

class CheckModelHealthRequest(_message.Message):
    __slots__ = ("since_time", "conversion_event_types", "lost_event_types", "landmark", "horizon")
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    LOST_EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    LANDMARK_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    since_time: _timestamp_pb2.Timestamp
    conversion_event_types: _containers.RepeatedScalarFieldContainer[str]
    lost_event_types: _containers.RepeatedScalarFieldContainer[str]
    landmark: _duration_pb2.Duration
    horizon: _duration_pb2.Duration
    def __init__(self, since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., conversion_event_types: _Optional[_Iterable[str]] = ..., lost_event_types: _Optional[_Iterable[str]] = ..., landmark: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., horizon: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CheckModelHealthResponse(_message.Message):
    __slots__ = ("leads_checked", "leads_total", "health", "done")
    LEADS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    LEADS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    leads_checked: int
    leads_total: int
    health: ModelHealth
    done: bool
    def __init__(self, leads_checked: _Optional[int] = ..., leads_total: _Optional[int] = ..., health: _Optional[_Union[ModelHealth, _Mapping]] = ..., done: bool = ...) -> None: ...

class ModelHealth(_message.Message):
    __slots__ = ("model_version", "since_time", "landmark", "horizon", "before", "since", "stability", "unknown_event_types")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    LANDMARK_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    model_version: int
    since_time: _timestamp_pb2.Timestamp
    landmark: _duration_pb2.Duration
    horizon: _duration_pb2.Duration
    before: PeriodHealth
    since: PeriodHealth
    stability: ScoreStability
    unknown_event_types: _containers.RepeatedCompositeFieldContainer[UnknownTypeShare]
    def __init__(self, model_version: _Optional[int] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., landmark: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., horizon: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., before: _Optional[_Union[PeriodHealth, _Mapping]] = ..., since: _Optional[_Union[PeriodHealth, _Mapping]] = ..., stability: _Optional[_Union[ScoreStability, _Mapping]] = ..., unknown_event_types: _Optional[_Iterable[_Union[UnknownTypeShare, _Mapping]]] = ...) -> None: ...

class PeriodHealth(_message.Message):
    __slots__ = ("lead_count", "ranking", "event_count", "unknown_event_count")
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    RANKING_FIELD_NUMBER: _ClassVar[int]
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    lead_count: int
    ranking: Ranking
    event_count: int
    unknown_event_count: int
    def __init__(self, lead_count: _Optional[int] = ..., ranking: _Optional[_Union[Ranking, _Mapping]] = ..., event_count: _Optional[int] = ..., unknown_event_count: _Optional[int] = ...) -> None: ...

class ScoreStability(_message.Message):
    __slots__ = ("index", "chance_index", "bins")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CHANCE_INDEX_FIELD_NUMBER: _ClassVar[int]
    BINS_FIELD_NUMBER: _ClassVar[int]
    index: float
    chance_index: float
    bins: _containers.RepeatedCompositeFieldContainer[ScoreBin]
    def __init__(self, index: _Optional[float] = ..., chance_index: _Optional[float] = ..., bins: _Optional[_Iterable[_Union[ScoreBin, _Mapping]]] = ...) -> None: ...

class ScoreBin(_message.Message):
    __slots__ = ("minimum_score", "before_count", "since_count")
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SINCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    minimum_score: int
    before_count: int
    since_count: int
    def __init__(self, minimum_score: _Optional[int] = ..., before_count: _Optional[int] = ..., since_count: _Optional[int] = ...) -> None: ...

class UnknownTypeShare(_message.Message):
    __slots__ = ("event_type", "before_count", "since_count")
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SINCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    event_type: str
    before_count: int
    since_count: int
    def __init__(self, event_type: _Optional[str] = ..., before_count: _Optional[int] = ..., since_count: _Optional[int] = ...) -> None: ...

class ScoreRange(_message.Message):
    __slots__ = ("minimum_score", "lead_count", "converted_count")
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONVERTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    minimum_score: int
    lead_count: int
    converted_count: int
    def __init__(self, minimum_score: _Optional[int] = ..., lead_count: _Optional[int] = ..., converted_count: _Optional[int] = ...) -> None: ...

class Reliability(_message.Message):
    __slots__ = ("brier_score", "calibration_error", "bins", "landmark", "horizon")
    BRIER_SCORE_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_ERROR_FIELD_NUMBER: _ClassVar[int]
    BINS_FIELD_NUMBER: _ClassVar[int]
    LANDMARK_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    brier_score: float
    calibration_error: float
    bins: _containers.RepeatedCompositeFieldContainer[ReliabilityBin]
    landmark: _duration_pb2.Duration
    horizon: _duration_pb2.Duration
    def __init__(self, brier_score: _Optional[float] = ..., calibration_error: _Optional[float] = ..., bins: _Optional[_Iterable[_Union[ReliabilityBin, _Mapping]]] = ..., landmark: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., horizon: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ReliabilityBin(_message.Message):
    __slots__ = ("mean_probability", "lead_count", "converted_count", "rate")
    MEAN_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONVERTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    mean_probability: float
    lead_count: int
    converted_count: int
    rate: float
    def __init__(self, mean_probability: _Optional[float] = ..., lead_count: _Optional[int] = ..., converted_count: _Optional[int] = ..., rate: _Optional[float] = ...) -> None: ...

class ConversionRate(_message.Message):
    __slots__ = ("name", "lead_count", "converted_count", "rate", "lift")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONVERTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    LIFT_FIELD_NUMBER: _ClassVar[int]
    name: str
    lead_count: float
    converted_count: float
    rate: float
    lift: float
    def __init__(self, name: _Optional[str] = ..., lead_count: _Optional[float] = ..., converted_count: _Optional[float] = ..., rate: _Optional[float] = ..., lift: _Optional[float] = ...) -> None: ...

class ScoringModel(_message.Message):
    __slots__ = ("version", "display_name", "state", "create_time", "rules", "groups", "score_floor", "score_ceiling", "stages", "decay", "velocity", "risk", "next_actions", "churn_stages", "fit", "calibration")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FLOOR_FIELD_NUMBER: _ClassVar[int]
    SCORE_CEILING_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    DECAY_FIELD_NUMBER: _ClassVar[int]
    VELOCITY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    NEXT_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    CHURN_STAGES_FIELD_NUMBER: _ClassVar[int]
    FIT_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    version: int
    display_name: str
    state: ModelState
    create_time: _timestamp_pb2.Timestamp
    rules: _containers.RepeatedCompositeFieldContainer[ScoringRule]
    groups: _containers.RepeatedCompositeFieldContainer[RuleGroup]
    score_floor: int
    score_ceiling: int
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    decay: Decay
    velocity: Velocity
    risk: RiskThreshold
    next_actions: _containers.RepeatedCompositeFieldContainer[NextAction]
    churn_stages: _containers.RepeatedScalarFieldContainer[str]
    fit: Fit
    calibration: Calibration
    def __init__(self, version: _Optional[int] = ..., display_name: _Optional[str] = ..., state: _Optional[_Union[ModelState, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[ScoringRule, _Mapping]]] = ..., groups: _Optional[_Iterable[_Union[RuleGroup, _Mapping]]] = ..., score_floor: _Optional[int] = ..., score_ceiling: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., decay: _Optional[_Union[Decay, _Mapping]] = ..., velocity: _Optional[_Union[Velocity, _Mapping]] = ..., risk: _Optional[_Union[RiskThreshold, _Mapping]] = ..., next_actions: _Optional[_Iterable[_Union[NextAction, _Mapping]]] = ..., churn_stages: _Optional[_Iterable[str]] = ..., fit: _Optional[_Union[Fit, _Mapping]] = ..., calibration: _Optional[_Union[Calibration, _Mapping]] = ...) -> None: ...

class ScoringRule(_message.Message):
    __slots__ = ("rule_id", "event_types", "points", "conditions", "limits", "group_id")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    points: int
    conditions: _containers.RepeatedCompositeFieldContainer[Condition]
    limits: _containers.RepeatedCompositeFieldContainer[Limit]
    group_id: str
    def __init__(self, rule_id: _Optional[str] = ..., event_types: _Optional[_Iterable[str]] = ..., points: _Optional[int] = ..., conditions: _Optional[_Iterable[_Union[Condition, _Mapping]]] = ..., limits: _Optional[_Iterable[_Union[Limit, _Mapping]]] = ..., group_id: _Optional[str] = ...) -> None: ...

class Condition(_message.Message):
    __slots__ = ("property", "equals", "one_of", "contains", "starts_with", "exists", "greater_than", "at_least", "less_than", "at_most", "ignore_case")
    PROPERTY_FIELD_NUMBER: _ClassVar[int]
    EQUALS_FIELD_NUMBER: _ClassVar[int]
    ONE_OF_FIELD_NUMBER: _ClassVar[int]
    CONTAINS_FIELD_NUMBER: _ClassVar[int]
    STARTS_WITH_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    GREATER_THAN_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    LESS_THAN_FIELD_NUMBER: _ClassVar[int]
    AT_MOST_FIELD_NUMBER: _ClassVar[int]
    IGNORE_CASE_FIELD_NUMBER: _ClassVar[int]
    property: str
    equals: _struct_pb2.Value
    one_of: _struct_pb2.ListValue
    contains: str
    starts_with: str
    exists: bool
    greater_than: float
    at_least: float
    less_than: float
    at_most: float
    ignore_case: bool
    def __init__(self, property: _Optional[str] = ..., equals: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., one_of: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., contains: _Optional[str] = ..., starts_with: _Optional[str] = ..., exists: bool = ..., greater_than: _Optional[float] = ..., at_least: _Optional[float] = ..., less_than: _Optional[float] = ..., at_most: _Optional[float] = ..., ignore_case: bool = ...) -> None: ...

class Limit(_message.Message):
    __slots__ = ("max_points", "max_times", "period")
    MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
    MAX_TIMES_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    max_points: int
    max_times: int
    period: Period
    def __init__(self, max_points: _Optional[int] = ..., max_times: _Optional[int] = ..., period: _Optional[_Union[Period, str]] = ...) -> None: ...

class RuleGroup(_message.Message):
    __slots__ = ("group_id", "cap", "parent_group_id")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    PARENT_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    cap: int
    parent_group_id: str
    def __init__(self, group_id: _Optional[str] = ..., cap: _Optional[int] = ..., parent_group_id: _Optional[str] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("stage", "minimum_score")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    stage: str
    minimum_score: int
    def __init__(self, stage: _Optional[str] = ..., minimum_score: _Optional[int] = ...) -> None: ...

class Decay(_message.Message):
    __slots__ = ("grace", "percent_per_day", "half_life", "floor", "toward_zero")
    GRACE_FIELD_NUMBER: _ClassVar[int]
    PERCENT_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    HALF_LIFE_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    TOWARD_ZERO_FIELD_NUMBER: _ClassVar[int]
    grace: _duration_pb2.Duration
    percent_per_day: int
    half_life: _duration_pb2.Duration
    floor: int
    toward_zero: bool
    def __init__(self, grace: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., percent_per_day: _Optional[int] = ..., half_life: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., floor: _Optional[int] = ..., toward_zero: bool = ...) -> None: ...

class Velocity(_message.Message):
    __slots__ = ("window", "weight")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    window: _duration_pb2.Duration
    weight: int
    def __init__(self, window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., weight: _Optional[int] = ...) -> None: ...

class RiskThreshold(_message.Message):
    __slots__ = ("idle",)
    IDLE_FIELD_NUMBER: _ClassVar[int]
    idle: _duration_pb2.Duration
    def __init__(self, idle: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class NextAction(_message.Message):
    __slots__ = ("next_action", "stages", "minimum_velocity", "risk")
    NEXT_ACTION_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_VELOCITY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    next_action: str
    stages: _containers.RepeatedScalarFieldContainer[str]
    minimum_velocity: int
    risk: Risk
    def __init__(self, next_action: _Optional[str] = ..., stages: _Optional[_Iterable[str]] = ..., minimum_velocity: _Optional[int] = ..., risk: _Optional[_Union[Risk, str]] = ...) -> None: ...

class Fit(_message.Message):
    __slots__ = ("rules", "grade_a_points", "grade_b_points", "grade_c_points", "level_1_score", "level_2_score")
    RULES_FIELD_NUMBER: _ClassVar[int]
    GRADE_A_POINTS_FIELD_NUMBER: _ClassVar[int]
    GRADE_B_POINTS_FIELD_NUMBER: _ClassVar[int]
    GRADE_C_POINTS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_1_SCORE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_2_SCORE_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[FitRule]
    grade_a_points: int
    grade_b_points: int
    grade_c_points: int
    level_1_score: int
    level_2_score: int
    def __init__(self, rules: _Optional[_Iterable[_Union[FitRule, _Mapping]]] = ..., grade_a_points: _Optional[int] = ..., grade_b_points: _Optional[int] = ..., grade_c_points: _Optional[int] = ..., level_1_score: _Optional[int] = ..., level_2_score: _Optional[int] = ...) -> None: ...

class FitRule(_message.Message):
    __slots__ = ("rule_id", "points", "conditions")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    points: int
    conditions: _containers.RepeatedCompositeFieldContainer[Condition]
    def __init__(self, rule_id: _Optional[str] = ..., points: _Optional[int] = ..., conditions: _Optional[_Iterable[_Union[Condition, _Mapping]]] = ...) -> None: ...

class Calibration(_message.Message):
    __slots__ = ("landmark", "horizon", "lead_count", "steps")
    LANDMARK_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    landmark: _duration_pb2.Duration
    horizon: _duration_pb2.Duration
    lead_count: int
    steps: _containers.RepeatedCompositeFieldContainer[CalibrationStep]
    def __init__(self, landmark: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., horizon: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., lead_count: _Optional[int] = ..., steps: _Optional[_Iterable[_Union[CalibrationStep, _Mapping]]] = ...) -> None: ...

class CalibrationStep(_message.Message):
    __slots__ = ("minimum_score", "probability", "low", "high", "lead_count")
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    minimum_score: int
    probability: float
    low: float
    high: float
    lead_count: int
    def __init__(self, minimum_score: _Optional[int] = ..., probability: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., lead_count: _Optional[int] = ...) -> None: ...
