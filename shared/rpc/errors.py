"""Translates exceptions to gRPC statuses.

Guarantee: a caller sees a canonical code, a reason from the proto of the service and, for a bad argument, the field.
An unexpected exception becomes INTERNAL with a fixed sentence; its text never leaves the process.

    Exception
    ├── InvalidArgument            a request that breaks a limit
    │   └── InvalidPageToken
    ├── Overloaded                 a server that cannot take the call now
    ├── TooLarge                   work that exceeds the largest budget
    ├── WorkTooLarge               too much work at once, although nothing is down or slow
    ├── errors of a service        raised by its domain, mapped by its ERRORS table
    ├── pymongo.errors.PyMongoError, grpc.aio.AioRpcError, TimeoutError, ConnectionError      mapped here
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

from shared.rpc.retries import retry_seconds

DOMAIN = "leadscore"
MAX_BYTES = 256
"""Longest message, field or description: a status travels in trailing metadata, which clients limit to 8 KiB."""
VIOLATION_BYTES = 4_096
"""Largest size of all field violations together; the last one counts those that were left out."""


class InvalidArgument(ValueError):
    """A request breaks a limit. `field` is a path in the request, `str(error)` a sentence for the caller."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class InvalidPageToken(InvalidArgument):
    """A page token is damaged or belongs to another query."""

    def __init__(self) -> None:
        super().__init__("page_token", "is not a token of this query; start again without a token")


class Overloaded(Exception):
    """A server has no slot for a call. The caller should retry after `retry_seconds`."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__("server overloaded; retry later")
        self.retry_seconds = retry_seconds


class TooLarge(Exception):
    """The work of a row exceeds the largest budget, and always will.

    `str(error)` is a sentence that says what to do. If a row is tried alone, this error parks it at once as
    `TOO_LARGE`. For several rows, it makes the drain retry with fewer of them.
    """


class WorkTooLarge(Exception):
    """Work did not finish in time because it was too much at once; its dependencies are up and answer.

    This is not an environment error: the same work would fail again, but smaller pieces may succeed.
    """


class Stopping(Exception):
    """The server is stopping and admits no more calls; a retry reaches another server, or the restarted one."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """What callers see of an exception: a canonical code, and a value of the proto's ErrorReason without its prefix."""

    code: grpc.StatusCode
    reason: str


ErrorTable = Mapping[type[Exception], ErrorRow]
"""The exceptions that the domain of a service can raise, and what callers see of each.

Callers also see the text of the exception and, if it has them, its `field` or `violations`, its `metadata` (texts by
name, in the ErrorInfo) and its `retry_seconds`, the time to wait before the next attempt.
"""

OVERLOADED = ErrorRow(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
"""What callers see of `Overloaded`, which every service can raise."""

ARGUMENTS: ErrorTable = {
    InvalidArgument: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID"),
    InvalidPageToken: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"),
    Overloaded: OVERLOADED,
}
"""The rows that all services with paginated lists share."""

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
"""Error labels of MongoDB and its driver for an unknown outcome."""
_LOST_BY_FAILOVER = {43, 134, 175, 237, 239, 246, 262, 11601}
"""Codes with which MongoDB aborts a read when a primary steps down, and which the driver does not retry.

CursorNotFound, ReadConcernMajorityNotAvailableYet, QueryPlanKilled, CursorKilled, SnapshotTooOld, SnapshotUnavailable,
ExceededTimeLimit, Interrupted.
"""
_OF_SIZE = {257, 10334, 17419, 17420}
"""Codes with which MongoDB refuses a transaction that exceeds its cache, or a document that is too large."""
_OF_DATA = {2, *_OF_SIZE}
"""Codes with which MongoDB refuses the data itself: BadValue, and the size codes."""
_NOT_PERMITTED = {13, 18}
"""Unauthorized, AuthenticationFailed."""
_SENTENCES = {
    grpc.StatusCode.UNAVAILABLE: "a service or database that this call needs is unavailable; retry",
    grpc.StatusCode.DEADLINE_EXCEEDED: "the call exceeded its deadline; its outcome is unknown, retry",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "server overloaded; retry later",
    grpc.StatusCode.ABORTED: "a concurrent write conflicted with this call; retry",
    grpc.StatusCode.INTERNAL: "internal error; see the log of the service for details",
}


def status_of(error: BaseException, table: ErrorTable) -> status_pb2.Status:
    """Returns what the caller sees of an exception."""
    row = next((table[kind] for kind in type(error).__mro__ if kind in table), None)
    if row is None:
        code = _code_of(error)
        status = status_pb2.Status(code=_number(code), message=_SENTENCES[code])
    else:
        info = error_details_pb2.ErrorInfo(reason=row.reason, domain=DOMAIN, metadata=getattr(error, "metadata", None))
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
    """Returns the seconds after which to retry a call that this or another service refused; None for other errors."""
    if isinstance(error, grpc.aio.AioRpcError):
        return retry_seconds(error)
    return getattr(error, "retry_seconds", None)


def is_transient(error: BaseException) -> bool:
    """Returns whether the environment caused an error: something is down, slow, overloaded, conflicting or forbidden.

    The same work can succeed later, unchanged. Every other error is attributed to the work itself.
    """
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code() in _NOT_OF_A_REQUEST
    if isinstance(error, PyMongoError):
        return _code_of(error) is not grpc.StatusCode.INTERNAL or not _is_of_data(error)
    return isinstance(error, OSError)  # includes TimeoutError


def is_too_large(error: BaseException) -> bool:
    """Returns whether a document or transaction exceeds the limits of MongoDB, or work exceeds the largest budget."""
    if isinstance(error, BulkWriteError):
        return any(each["code"] in _OF_SIZE for each in error.details.get("writeErrors", ()))
    if isinstance(error, OperationFailure):
        return error.code in _OF_SIZE
    return isinstance(error, TooLarge | DocumentTooLarge)


def is_refusal_of_all(error: PyMongoError) -> bool:
    """Returns whether every operation would fail now: MongoDB is down, slow, failing over, or denies access.

    Any other error may be specific to the operation.
    """
    return _code_of(error) is not grpc.StatusCode.INTERNAL or getattr(error, "code", None) in _NOT_PERMITTED


def _is_of_data(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError):
        return bool(error.details.get("writeErrors"))
    return isinstance(error, WriteError) or (isinstance(error, OperationFailure) and error.code in _OF_DATA)


def _violations(error: BaseException) -> list[error_details_pb2.BadRequest.FieldViolation]:
    """Returns the field violations of an error: from its `violations`, pairs of path and text, or from its `field`."""
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
            return grpc.StatusCode.UNAVAILABLE  # the other service stopped during the call
        return error.code() if error.code() in _PASSED_ON else grpc.StatusCode.INTERNAL
    if isinstance(error, TimeoutError | WorkTooLarge | ExecutionTimeout | NetworkTimeout | WTimeoutError):
        return grpc.StatusCode.DEADLINE_EXCEEDED
    if isinstance(error, PyMongoError):
        return _code_of_mongo(error)
    is_away = isinstance(error, Stopping | ConnectionError)
    return grpc.StatusCode.UNAVAILABLE if is_away else grpc.StatusCode.INTERNAL


def _code_of_mongo(error: PyMongoError) -> grpc.StatusCode:
    # InvalidOperation: a client is closed only while its process stops.
    if isinstance(error, ConnectionFailure | InvalidOperation) or _is_unconfirmed(error):
        return grpc.StatusCode.UNAVAILABLE
    if error.has_error_label("TransientTransactionError"):
        return grpc.StatusCode.ABORTED
    if isinstance(error, OperationFailure) and error.code in _LOST_BY_FAILOVER:
        return grpc.StatusCode.UNAVAILABLE
    return grpc.StatusCode.INTERNAL


def _is_unconfirmed(error: PyMongoError) -> bool:
    """Returns whether the outcome of a write is unknown, or a failover may roll it back."""
    if isinstance(error, BulkWriteError):
        return bool(error.details.get("writeConcernErrors"))
    return isinstance(error, WriteConcernError) or any(map(error.has_error_label, _UNKNOWN_OUTCOME))


def _number(code: grpc.StatusCode) -> int:
    return int(code_pb2.Code.Value(code.name))


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
