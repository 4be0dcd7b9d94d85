"""Refusals: a status of gRPC as JSON, with the HTTP status that belongs to it.

    {"code": 3, "message": "batch[3]: event: is missing", "details": […]}

It is what Envoy answers for the services, and Segment's SDKs read `code` and `message`. An SDK retries 408, 429 and 5xx
(but not 501), after `Retry-After`, and gives up on all others.
"""

import math
from collections.abc import Mapping

import grpc
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from starlette.responses import JSONResponse

from shared.rpc.errors import DOMAIN
from shared.rpc.retries import retry_seconds

RETRY_SECONDS = 1.0
"""When to retry what is unavailable, if nobody says."""
RETRIED_STATUSES = {408, 429, 502, 503, 504}
"""HTTP statuses that come with `Retry-After`."""

_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    # What a sender should try again; no SDK retries 409, which Envoy answers for ABORTED.
    grpc.StatusCode.ABORTED: 503,
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


class Refused(Exception):
    """A request is refused. The text is one sentence for the caller.

    `status` is the HTTP status; by default, the one of `code`. `retry_seconds` is when to try again, if that makes
    sense. `headers` are further headers of the answer.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        sentence: str,
        *details: Message,
        status: int | None = None,
        retry_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.details = details
        self.status = status or _STATUSES.get(code, 500)
        self.retry_seconds = retry_seconds
        self.headers = dict(headers or {})


def reason(name: str, metadata: Mapping[str, str] | None = None) -> error_details_pb2.ErrorInfo:
    """Returns the detail that names the reason of a refusal."""
    return error_details_pb2.ErrorInfo(reason=name, domain=DOMAIN, metadata=metadata)


def from_call(error: grpc.aio.AioRpcError) -> Refused:
    """Returns the refusal of a request whose call to the ingest service failed.

    It is passed on as it is, unless it comes from gRPC itself, whose texts have addresses in them.
    """
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    if status is None:
        return Refused(error.code(), "the ingest service did not answer; send the request again")
    return Refused(error.code(), status.message, *status.details, retry_seconds=retry_seconds(error))


def answer(refused: Refused) -> JSONResponse:
    """Returns the answer to a refused request."""
    status = status_pb2.Status(code=refused.code.value[0], message=str(refused))
    for detail in refused.details:
        packed = status.details.add()
        packed.CopyFrom(detail) if isinstance(detail, Any) else packed.Pack(detail)
    headers = dict(refused.headers)
    if refused.status in RETRIED_STATUSES:
        headers["retry-after"] = str(max(1, math.ceil(refused.retry_seconds or RETRY_SECONDS)))
    body = json_format.MessageToDict(status, always_print_fields_with_no_presence=False)
    return JSONResponse(body, status_code=refused.status, headers=headers)
