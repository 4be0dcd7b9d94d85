"""From exception to gRPC status, in one place.

Guarantee: a caller sees a canonical code, a reason from the service's proto and, for an argument, the field. What was
not foreseen becomes INTERNAL with a fixed sentence; no text of an unforeseen exception leaves the process.

    Exception
    ├── InvalidArgument            what a servicer finds wrong with a request
    │   └── InvalidPageToken
    ├── Overloaded                 what a server says that cannot take the call now
    ├── TooLarge                   work that does not fit into the largest budget there is
    ├── WorkTooLarge               what is too much at once, although nothing is away or slow
    ├── a service's own errors     its domain raises them, its ERRORS table maps them
    ├── pymongo.errors.PyMongoError, grpc.aio.AioRpcError, TimeoutError      mapped here
    └── anything else              INTERNAL
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)

from shared.deadlines import retry_seconds

DOMAIN = "leadscore"
MAX_BYTES = 256
"""Of a message, a field or a description: all of a status goes into trailing metadata, of which clients take 8 KiB."""
VIOLATION_BYTES = 4_096
"""Of all field violations together; those that are left out are counted in the last one."""


class InvalidArgument(ValueError):
    """A request breaks a limit. `field` is its path in the request, `str(error)` a sentence for the caller."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class InvalidPageToken(InvalidArgument):
    """A page token is damaged or belongs to another query."""

    def __init__(self) -> None:
        super().__init__("page_token", "is not a token of this query; begin again without one")


class Overloaded(Exception):
    """A server has no place for a call. `retry_seconds` is when the caller shall come back."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__("more calls come than can be done; call again")
        self.retry_seconds = retry_seconds


class TooLarge(Exception):
    """The work of a row does not fit into the largest budget there is, and never will.

    `str(error)` is a sentence that says what to do. Raised for a row that is tried alone it parks the row at once, as
    `TOO_LARGE`; raised for several rows it lets the drain try fewer of them together.
    """


class WorkTooLarge(Exception):
    """Something did not end in time because it was too much at once: what it needs is there, and answers.

    It is no error of the environment: the same work would fail again. Less of it at a time may succeed.
    """


class Stopping(Exception):
    """A server lets nobody in any more; another one, or its successor, will."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """What callers see of an exception: a canonical code, and a value of the proto's ErrorReason without its prefix."""

    code: grpc.StatusCode
    reason: str


ErrorTable = Mapping[type[Exception], ErrorRow]
"""One per service: each exception that its domain can raise, and what callers see of it.

Its text is shown to callers. So is, if it has them, what its `field` or `violations` name, and its `retry_seconds`:
how long they shall wait before they call again.
"""

OVERLOADED = ErrorRow(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
"""What callers see of `Overloaded`, which every service has."""

ARGUMENTS: ErrorTable = {
    InvalidArgument: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID"),
    InvalidPageToken: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"),
    Overloaded: OVERLOADED,
}
"""The rows that services with pages share."""

_PASSED_ON = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
}
_NOT_OF_A_REQUEST = {
    *_PASSED_ON,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
}
_UNKNOWN_OUTCOME = ("RetryableWriteError", "UnknownTransactionCommitResult")
"""Labels by which MongoDB and its driver say that something may or may not have been done."""
_LOST_BY_FAILOVER = {43, 134, 175, 237, 239, 246, 262, 11601}
"""Codes by which MongoDB ends a read in the middle when a primary steps down, which the driver does not try again.

CursorNotFound, ReadConcernMajorityNotAvailableYet, QueryPlanKilled, CursorKilled, SnapshotTooOld, SnapshotUnavailable,
ExceededTimeLimit, Interrupted.
"""
_OF_SIZE = {257, 10334, 17419, 17420}
"""Codes by which MongoDB refuses what is too large: a transaction for its cache, or a document (before, after)."""
_OF_DATA = {2, *_OF_SIZE}
"""Codes by which MongoDB refuses what it was given: BadValue, and those of size."""
_NOT_PERMITTED = {13, 18}
"""Unauthorized, AuthenticationFailed."""
_SENTENCES = {
    grpc.StatusCode.UNAVAILABLE: "a service or database that this call needs is away; call again",
    grpc.StatusCode.DEADLINE_EXCEEDED: "the call took longer than it may; its outcome is unknown, call again",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "there is more work than can be done now; call again later",
    grpc.StatusCode.ABORTED: "another write was in the way; call again",
    grpc.StatusCode.INTERNAL: "an internal error; the service's log has the details",
}


def status_of(error: BaseException, table: ErrorTable) -> status_pb2.Status:
    """Returns what the caller sees of an exception."""
    row = next((table[kind] for kind in type(error).__mro__ if kind in table), None)
    if row is None:
        code = _code_of(error)
        status = status_pb2.Status(code=_number(code), message=_SENTENCES[code])
    else:
        info = error_details_pb2.ErrorInfo(reason=row.reason, domain=DOMAIN)
        status = status_pb2.Status(code=_number(row.code), message=_short(str(error)), details=[_packed(info)])
        violations = _violations(error)
        if violations:
            status.details.append(_packed(error_details_pb2.BadRequest(field_violations=violations)))
    seconds = retry_seconds_of(error)
    if seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromTimedelta(timedelta(seconds=seconds))
        status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return status


def retry_seconds_of(error: BaseException) -> float | None:
    """Returns how long a caller that was refused, here or further on, shall wait; None for any other error."""
    if isinstance(error, grpc.aio.AioRpcError):
        return retry_seconds(error)
    return getattr(error, "retry_seconds", None)


def is_transient(error: BaseException) -> bool:
    """Tells whether an error is of the environment: something is away, slow, overloaded, in the way or not permitted.

    The same work can succeed later, untouched. Every other error is taken to be of the work itself.
    """
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code() in _NOT_OF_A_REQUEST
    if isinstance(error, PyMongoError):
        return _code_of(error) is not grpc.StatusCode.INTERNAL or not _is_of_data(error)
    return isinstance(error, OSError)  # which TimeoutError is, too


def is_too_large(error: BaseException) -> bool:
    """Tells whether a document or a transaction was larger than MongoDB takes, or a budget than there is."""
    if isinstance(error, BulkWriteError):
        return any(each["code"] in _OF_SIZE for each in error.details.get("writeErrors", ()))
    if isinstance(error, OperationFailure):
        return error.code in _OF_SIZE
    return isinstance(error, TooLarge | DocumentTooLarge)


def is_refusal_of_all(error: PyMongoError) -> bool:
    """Tells whether MongoDB would say the same to whatever it was asked: it is away, slow, failing over, or forbids it.

    Any other error may be of what it was asked.
    """
    return _code_of(error) is not grpc.StatusCode.INTERNAL or getattr(error, "code", None) in _NOT_PERMITTED


def _is_of_data(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError):
        return bool(error.details.get("writeErrors"))
    return isinstance(error, WriteError) or (isinstance(error, OperationFailure) and error.code in _OF_DATA)


def _violations(error: BaseException) -> list[error_details_pb2.BadRequest.FieldViolation]:
    """Returns what is wrong with which fields: an error has `violations`, pairs of both, or one `field`, or neither."""
    field = getattr(error, "field", None)
    pairs = list(getattr(error, "violations", () if field is None else ((field, str(error)),)))
    violations, room = list[error_details_pb2.BadRequest.FieldViolation](), VIOLATION_BYTES
    for index, (path, text) in enumerate(pairs):
        violation = error_details_pb2.BadRequest.FieldViolation(field=_short(path), description=_short(text))
        room -= violation.ByteSize()
        if room < 0:
            violation.field, violation.description = "", f"and {len(pairs) - index} more"
            return [*violations, violation]
        violations.append(violation)
    return violations


def _short(text: str) -> str:
    written = text.encode()
    return text if len(written) <= MAX_BYTES else f"{written[:MAX_BYTES].decode(errors='ignore')}…"


def _code_of(error: BaseException) -> grpc.StatusCode:
    if isinstance(error, grpc.aio.AioRpcError):
        if error.code() is grpc.StatusCode.CANCELLED:
            return grpc.StatusCode.UNAVAILABLE  # not by us: the other service stopped in the middle
        return error.code() if error.code() in _PASSED_ON else grpc.StatusCode.INTERNAL
    if isinstance(error, TimeoutError | WorkTooLarge | ExecutionTimeout | NetworkTimeout | WTimeoutError):
        return grpc.StatusCode.DEADLINE_EXCEEDED
    if isinstance(error, PyMongoError):
        return _code_of_mongo(error)
    return grpc.StatusCode.UNAVAILABLE if isinstance(error, Stopping) else grpc.StatusCode.INTERNAL


def _code_of_mongo(error: PyMongoError) -> grpc.StatusCode:
    # A client is closed only while its process stops, hence InvalidOperation.
    if isinstance(error, ConnectionFailure | InvalidOperation) or _is_unconfirmed(error):
        return grpc.StatusCode.UNAVAILABLE
    if error.has_error_label("TransientTransactionError"):
        return grpc.StatusCode.ABORTED
    if isinstance(error, OperationFailure) and error.code in _LOST_BY_FAILOVER:
        return grpc.StatusCode.UNAVAILABLE
    return grpc.StatusCode.INTERNAL


def _is_unconfirmed(error: PyMongoError) -> bool:
    """Tells whether what was asked for may or may not have been done, or may not stay done."""
    if isinstance(error, BulkWriteError):
        return bool(error.details.get("writeConcernErrors"))
    return isinstance(error, WriteConcernError) or any(map(error.has_error_label, _UNKNOWN_OUTCOME))


def _number(code: grpc.StatusCode) -> int:
    return int(code_pb2.Code.Value(code.name))


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
