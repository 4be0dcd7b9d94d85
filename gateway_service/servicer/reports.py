"""The answer to a request whose records were handled: success, or why some of them were refused.

Success is 200 with `{"success": true, "accepted": 2, "duplicate": 0}`. Senders stop at 200, so a request with a record
that was refused for good is answered with 400, although its other records were stored. One with an event that must be
sent again is answered with 429; sent again, the events that were stored are duplicates.
"""

import grpc
from google.rpc import error_details_pb2
from starlette.responses import JSONResponse

from gateway_service.domain.report import Report
from gateway_service.servicer.refusals import Refused, answer, reason

MAX_VIOLATIONS = 100
"""Rejections that an answer names; it counts all of them."""


def answer_report(report: Report) -> JSONResponse:
    """Returns the answer to a request."""
    if report.deferral:
        return answer(
            Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                report.deferral.sentence,
                reason(report.deferral.reason, _counts(report)),
                retry_seconds=report.deferral.seconds,
            )
        )
    if report.rejections:
        return answer(_rejected(report))
    ignored = {"ignored": report.ignored} if report.ignored else {}
    counts = {"accepted": report.accepted, "duplicate": report.duplicate, **ignored}
    return JSONResponse({"success": True, **counts})


def _rejected(report: Report) -> Refused:
    first, count = report.rejections[0], len(report.rejections)
    sentence = str(first)
    if count > 1:
        sentence = f"{count:,} messages were refused, the first because of {sentence}"
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field=each.path, description=each.sentence)
        for each in report.rejections[:MAX_VIOLATIONS]
    ]
    return Refused(
        grpc.StatusCode.INVALID_ARGUMENT,
        sentence,
        reason(first.reason, {**_counts(report), "rejected": str(count)}),
        error_details_pb2.BadRequest(field_violations=violations),
    )


def _counts(report: Report) -> dict[str, str]:
    return {"accepted": str(report.accepted), "duplicate": str(report.duplicate)}
