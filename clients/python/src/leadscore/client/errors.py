"""The exceptions of the client.

LeadscoreError
├── InvalidArgument    the request is not valid; retrying it does not help
├── AccessDenied       the API key is not valid, or does not have the role that the call needs
├── NotFound           no event of this lead has been scored yet
├── Conflict           another event has this event id
├── Overloaded         the server refused the call; nothing was stored
├── Unavailable        no response in time; the outcome is unknown, so send the event again with the same id
├── QueueFull          the queue of a batcher has no room
├── FlushTimeout       events are still unacknowledged
└── EventsRejected     the server permanently rejected some events

Any other status code raises `LeadscoreError` itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from leadscore.ingest.v1 import ingest_pb2

DETAILS_KEY = "grpc-status-details-bin"


class LeadscoreError(Exception):
    """A call failed.

    Attributes:
        code: The status code of the call; None if no call was made.
        reason: The `reason` of `google.rpc.ErrorInfo`, such as `EVENT_INVALID`; empty if the server gave none.
        field: The invalid field, such as `event_time`; empty if the error does not concern a field.
        event_id: The id of the event, for sending it again; empty if the call sent no single event.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        reason: str = "",
        field: str = "",
        event_id: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.field = field
        self.event_id = event_id


class InvalidArgument(LeadscoreError):
    """The request is not valid. Retrying it does not help."""


class AccessDenied(LeadscoreError):
    """The API key is missing, unknown, expired or revoked, or does not have the role that the call needs."""


class NotFound(LeadscoreError):
    """No event of this lead has been scored, or none by the requested time."""


class Conflict(LeadscoreError):
    """Another event has this event id. Nothing was stored. The message names the fields in which they differ."""


class Overloaded(LeadscoreError):
    """The server refused the call. Nothing was stored."""


class Unavailable(LeadscoreError):
    """The server did not answer in time. The outcome is unknown: send the event again with the same id."""


class QueueFull(LeadscoreError):
    """The queue of a batcher had no room in time. The event was not queued."""


class FlushTimeout(LeadscoreError):
    """Some events were not acknowledged in time. They are in `unsent`; send them again with the same ids."""

    def __init__(self, message: str, unsent: Sequence[ingest_pb2.Event]) -> None:
        super().__init__(message)
        self.unsent = tuple(unsent)


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that the server permanently rejected, with the reason, the invalid field and an explanation."""

    event: ingest_pb2.Event
    reason: str
    field: str
    message: str


class EventsRejected(LeadscoreError):
    """The server permanently rejected some events. The others were stored."""

    def __init__(self, rejections: Sequence[Rejection]) -> None:
        first = rejections[0]
        count = "1 event was" if len(rejections) == 1 else f"{len(rejections):,} events were"
        super().__init__(
            f"{count} rejected; {first.event.event_id}: {first.message}",
            reason=first.reason,
            field=first.field,
            event_id=first.event.event_id,
        )
        self.rejections = tuple(rejections)


_CLASSES: dict[grpc.StatusCode, type[LeadscoreError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgument,
    grpc.StatusCode.UNAUTHENTICATED: AccessDenied,
    grpc.StatusCode.PERMISSION_DENIED: AccessDenied,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: Conflict,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.ABORTED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.UNKNOWN: Unavailable,  # no server of leadscore answers this, but a proxy in between may
}
_CUT = "RST_STREAM"
"""What gRPC says of a call that a proxy in between has cut, for example because the proxy stops."""


def from_rpc_error(error: grpc.RpcError, *, event_id: str = "") -> LeadscoreError:
    """Returns the exception for a failed call."""
    code = error.code()
    infos = details(error, error_details_pb2.ErrorInfo)
    violations = (
        violation for request in details(error, error_details_pb2.BadRequest) for violation in request.field_violations
    )
    kind = Unavailable if is_outcome_unknown(error) else _CLASSES.get(code, LeadscoreError)
    return kind(
        error.details() or code.name,
        code=code,
        reason=next((info.reason for info in infos), ""),
        field=next((violation.field for violation in violations), ""),
        event_id=event_id,
    )


def is_outcome_unknown(error: grpc.RpcError) -> bool:
    """Returns whether the server may have done what was asked, or not."""
    was_cut = error.code() is grpc.StatusCode.INTERNAL and _CUT in (error.details() or "")
    return was_cut or _CLASSES.get(error.code()) is Unavailable


def retry_delay(error: grpc.RpcError) -> float | None:
    """Returns the delay in seconds after which the server asks for a retry; None if it does not ask for one."""
    for info in details(error, error_details_pb2.RetryInfo):
        return float(info.retry_delay.ToTimedelta().total_seconds())
    return None


def details(error: grpc.RpcError, kind: type[Any]) -> Iterator[Any]:
    """Yields the error details of one type that the server attached to a failed call."""
    metadata: Any = error.trailing_metadata()  # pairs; the class differs between grpc and grpc.aio
    for key, value in metadata or ():
        if key == DETAILS_KEY:
            for detail in status_pb2.Status.FromString(value).details:
                found = kind()
                if detail.Unpack(found):
                    yield found
