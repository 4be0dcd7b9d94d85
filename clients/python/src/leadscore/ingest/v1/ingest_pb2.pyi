import datetime

from google.api import annotations_pb2 as _annotations_pb2
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

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_ACCEPTED: _ClassVar[Outcome]
    OUTCOME_DUPLICATE: _ClassVar[Outcome]
    OUTCOME_REJECTED: _ClassVar[Outcome]
    OUTCOME_RETRY_LATER: _ClassVar[Outcome]

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_EVENT_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_EVENT_ID_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_BATCH_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_ARGUMENT_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_BACKLOG_TOO_OLD: _ClassVar[ErrorReason]
    ERROR_REASON_LEAD_BEHIND: _ClassVar[ErrorReason]
    ERROR_REASON_PARTITION_BEHIND: _ClassVar[ErrorReason]
    ERROR_REASON_CALLER_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_ROLE_MISSING: _ClassVar[ErrorReason]
    ERROR_REASON_KEY_LIMIT_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_LEAD_ERASED: _ClassVar[ErrorReason]
    ERROR_REASON_EVENT_ERASED: _ClassVar[ErrorReason]
    ERROR_REASON_LEAD_BEING_ERASED: _ClassVar[ErrorReason]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_ACCEPTED: Outcome
OUTCOME_DUPLICATE: Outcome
OUTCOME_REJECTED: Outcome
OUTCOME_RETRY_LATER: Outcome
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_EVENT_INVALID: ErrorReason
ERROR_REASON_EVENT_ID_CONFLICT: ErrorReason
ERROR_REASON_BATCH_INVALID: ErrorReason
ERROR_REASON_ARGUMENT_INVALID: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_BACKLOG_TOO_OLD: ErrorReason
ERROR_REASON_LEAD_BEHIND: ErrorReason
ERROR_REASON_PARTITION_BEHIND: ErrorReason
ERROR_REASON_CALLER_UNKNOWN: ErrorReason
ERROR_REASON_ROLE_MISSING: ErrorReason
ERROR_REASON_KEY_LIMIT_EXCEEDED: ErrorReason
ERROR_REASON_LEAD_ERASED: ErrorReason
ERROR_REASON_EVENT_ERASED: ErrorReason
ERROR_REASON_LEAD_BEING_ERASED: ErrorReason

class Event(_message.Message):
    __slots__ = ("event_id", "lead_id", "event_type", "event_time", "properties", "source", "sent_time", "historical")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    LEAD_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SENT_TIME_FIELD_NUMBER: _ClassVar[int]
    HISTORICAL_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    lead_id: str
    event_type: str
    event_time: _timestamp_pb2.Timestamp
    properties: _struct_pb2.Struct
    source: str
    sent_time: _timestamp_pb2.Timestamp
    historical: bool
    def __init__(self, event_id: _Optional[str] = ..., lead_id: _Optional[str] = ..., event_type: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., properties: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., source: _Optional[str] = ..., sent_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., historical: bool = ...) -> None: ...

class Shortening(_message.Message):
    __slots__ = ("cut_properties", "left_out_count")
    CUT_PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_COUNT_FIELD_NUMBER: _ClassVar[int]
    cut_properties: _containers.RepeatedScalarFieldContainer[str]
    left_out_count: int
    def __init__(self, cut_properties: _Optional[_Iterable[str]] = ..., left_out_count: _Optional[int] = ...) -> None: ...

class IngestEventRequest(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: Event
    def __init__(self, event: _Optional[_Union[Event, _Mapping]] = ...) -> None: ...

class IngestEventResponse(_message.Message):
    __slots__ = ("outcome", "shortening", "warning")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SHORTENING_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    shortening: Shortening
    warning: str
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., shortening: _Optional[_Union[Shortening, _Mapping]] = ..., warning: _Optional[str] = ...) -> None: ...

class BatchIngestEventsRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class BatchIngestEventsResponse(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[EventOutcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[EventOutcome, _Mapping]]] = ...) -> None: ...

class EventOutcome(_message.Message):
    __slots__ = ("event_id", "outcome", "reason", "field", "message", "retry_delay", "differing_fields", "shortening", "warning")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_FIELDS_FIELD_NUMBER: _ClassVar[int]
    SHORTENING_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    outcome: Outcome
    reason: ErrorReason
    field: str
    message: str
    retry_delay: _duration_pb2.Duration
    differing_fields: _containers.RepeatedScalarFieldContainer[str]
    shortening: Shortening
    warning: str
    def __init__(self, event_id: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[_Union[ErrorReason, str]] = ..., field: _Optional[str] = ..., message: _Optional[str] = ..., retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., differing_fields: _Optional[_Iterable[str]] = ..., shortening: _Optional[_Union[Shortening, _Mapping]] = ..., warning: _Optional[str] = ...) -> None: ...
