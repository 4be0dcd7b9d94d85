import datetime

from google.protobuf import duration_pb2 as _duration_pb2
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
LEAD_ORDER_UNSPECIFIED: LeadOrder
LEAD_ORDER_SCORE: LeadOrder
LEAD_ORDER_LAST_EVENT_TIME: LeadOrder
LEAD_ORDER_LEAD_ID: LeadOrder
ENTRY_KIND_UNSPECIFIED: EntryKind
ENTRY_KIND_EVENT: EntryKind
ENTRY_KIND_DECAY: EntryKind
RISK_UNSPECIFIED: Risk
RISK_LOW: Risk
RISK_HIGH: Risk

class LeadScore(_message.Message):
    __slots__ = ("lead_id", "score", "stage", "event_count", "first_event_time", "last_event_time", "recent_event_count", "contributions", "attributes", "sequence", "model_version", "as_of_time")
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
    def __init__(self, lead_id: _Optional[str] = ..., score: _Optional[int] = ..., stage: _Optional[str] = ..., event_count: _Optional[int] = ..., first_event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., recent_event_count: _Optional[int] = ..., contributions: _Optional[_Iterable[_Union[RuleContribution, _Mapping]]] = ..., attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., sequence: _Optional[int] = ..., model_version: _Optional[int] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("lead_ids", "as_of_time")
    LEAD_IDS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    lead_ids: _containers.RepeatedScalarFieldContainer[str]
    as_of_time: _timestamp_pb2.Timestamp
    def __init__(self, lead_ids: _Optional[_Iterable[str]] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BatchGetLeadScoresResponse(_message.Message):
    __slots__ = ("lead_scores", "missing_lead_ids")
    LEAD_SCORES_FIELD_NUMBER: _ClassVar[int]
    MISSING_LEAD_IDS_FIELD_NUMBER: _ClassVar[int]
    lead_scores: _containers.RepeatedCompositeFieldContainer[LeadScore]
    missing_lead_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, lead_scores: _Optional[_Iterable[_Union[LeadScore, _Mapping]]] = ..., missing_lead_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ListLeadScoresRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "order", "stage", "minimum_score")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    order: LeadOrder
    stage: str
    minimum_score: int
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., order: _Optional[_Union[LeadOrder, str]] = ..., stage: _Optional[str] = ..., minimum_score: _Optional[int] = ...) -> None: ...

class ListLeadScoresResponse(_message.Message):
    __slots__ = ("lead_scores", "next_page_token")
    LEAD_SCORES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    lead_scores: _containers.RepeatedCompositeFieldContainer[LeadScore]
    next_page_token: str
    def __init__(self, lead_scores: _Optional[_Iterable[_Union[LeadScore, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ScoreEntry(_message.Message):
    __slots__ = ("lead_id", "sequence", "kind", "event_id", "event_type", "rule_id", "model_version", "points", "delta", "score_before", "score_after", "stage_before", "stage_after", "event_time", "record_time")
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
    def __init__(self, lead_id: _Optional[str] = ..., sequence: _Optional[int] = ..., kind: _Optional[_Union[EntryKind, str]] = ..., event_id: _Optional[str] = ..., event_type: _Optional[str] = ..., rule_id: _Optional[str] = ..., model_version: _Optional[int] = ..., points: _Optional[int] = ..., delta: _Optional[int] = ..., score_before: _Optional[int] = ..., score_after: _Optional[int] = ..., stage_before: _Optional[str] = ..., stage_after: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., record_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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
    def __init__(self, lead_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., newest_first: _Optional[bool] = ...) -> None: ...

class ListScoreHistoryResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[ScoreEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[ScoreEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DecayScoresRequest(_message.Message):
    __slots__ = ("as_of_time", "dry_run")
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    as_of_time: _timestamp_pb2.Timestamp
    dry_run: bool
    def __init__(self, as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

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
    def __init__(self, through_date: _Optional[str] = ..., leads_checked: _Optional[int] = ..., leads_total: _Optional[int] = ..., leads_changed: _Optional[int] = ..., entries_appended: _Optional[int] = ..., points_removed: _Optional[int] = ..., done: _Optional[bool] = ..., dry_run: _Optional[bool] = ...) -> None: ...

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
    def __init__(self, lead_score: _Optional[_Union[LeadScore, _Mapping]] = ..., changed: _Optional[bool] = ..., score_before: _Optional[int] = ...) -> None: ...

class VerifyScoresRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VerifyScoresResponse(_message.Message):
    __slots__ = ("leads_checked", "leads_total", "entries_checked", "events_checked", "events_pending", "violations", "violations_total", "done")
    LEADS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    LEADS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_CHECKED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_CHECKED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_PENDING_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    leads_checked: int
    leads_total: int
    entries_checked: int
    events_checked: int
    events_pending: int
    violations: _containers.RepeatedCompositeFieldContainer[Violation]
    violations_total: int
    done: bool
    def __init__(self, leads_checked: _Optional[int] = ..., leads_total: _Optional[int] = ..., entries_checked: _Optional[int] = ..., events_checked: _Optional[int] = ..., events_pending: _Optional[int] = ..., violations: _Optional[_Iterable[_Union[Violation, _Mapping]]] = ..., violations_total: _Optional[int] = ..., done: _Optional[bool] = ...) -> None: ...

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
    __slots__ = ("pending_events", "oldest_put_time")
    PENDING_EVENTS_FIELD_NUMBER: _ClassVar[int]
    OLDEST_PUT_TIME_FIELD_NUMBER: _ClassVar[int]
    pending_events: int
    oldest_put_time: _timestamp_pb2.Timestamp
    def __init__(self, pending_events: _Optional[int] = ..., oldest_put_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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

class ScoringModel(_message.Message):
    __slots__ = ("version", "rules", "score_floor", "score_ceiling", "stages", "decay", "velocity", "risk", "next_actions", "churn_stages")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    SCORE_FLOOR_FIELD_NUMBER: _ClassVar[int]
    SCORE_CEILING_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    DECAY_FIELD_NUMBER: _ClassVar[int]
    VELOCITY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    NEXT_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    CHURN_STAGES_FIELD_NUMBER: _ClassVar[int]
    version: int
    rules: _containers.RepeatedCompositeFieldContainer[ScoringRule]
    score_floor: int
    score_ceiling: int
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    decay: Decay
    velocity: Velocity
    risk: RiskThreshold
    next_actions: _containers.RepeatedCompositeFieldContainer[NextAction]
    churn_stages: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[int] = ..., rules: _Optional[_Iterable[_Union[ScoringRule, _Mapping]]] = ..., score_floor: _Optional[int] = ..., score_ceiling: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., decay: _Optional[_Union[Decay, _Mapping]] = ..., velocity: _Optional[_Union[Velocity, _Mapping]] = ..., risk: _Optional[_Union[RiskThreshold, _Mapping]] = ..., next_actions: _Optional[_Iterable[_Union[NextAction, _Mapping]]] = ..., churn_stages: _Optional[_Iterable[str]] = ...) -> None: ...

class ScoringRule(_message.Message):
    __slots__ = ("rule_id", "event_type", "points")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    event_type: str
    points: int
    def __init__(self, rule_id: _Optional[str] = ..., event_type: _Optional[str] = ..., points: _Optional[int] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("stage", "minimum_score")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    stage: str
    minimum_score: int
    def __init__(self, stage: _Optional[str] = ..., minimum_score: _Optional[int] = ...) -> None: ...

class Decay(_message.Message):
    __slots__ = ("grace", "percent_per_day")
    GRACE_FIELD_NUMBER: _ClassVar[int]
    PERCENT_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    grace: _duration_pb2.Duration
    percent_per_day: int
    def __init__(self, grace: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., percent_per_day: _Optional[int] = ...) -> None: ...

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
