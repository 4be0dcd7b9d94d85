"""What all requests have in common: they are admitted, bounded, logged, and answered in the same form."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from gateway_service.domain.records import InvalidRequest
from gateway_service.domain.report import Report
from gateway_service.servicer.lanes import Lanes
from gateway_service.servicer.refusals import Refused, answer, from_call, reason
from gateway_service.servicer.reports import answer_report
from shared import logs
from shared.deadlines import deadline
from shared.rpc.call_log import CallLog
from shared.rpc.errors import Overloaded

Handle = Callable[[Request, bytes], Awaitable[Report]]
"""Handles a request with its body."""
Endpoint = Callable[[Request], Awaitable[Response]]

REPORT_SECONDS = 60.0
"""Interval of the log lines about requests without a valid key or signature."""
INTERNAL = "internal error; see the log of the gateway for details"
_LEFT = 499
"""The status, as proxies log it, of a request whose sender did not wait. Nobody reads it."""
_LOG = logs.get(__name__)


class Requests:
    """Makes endpoints of handlers. Use it from one event loop only."""

    def __init__(self, lanes: Lanes, seconds: float, log: CallLog) -> None:
        self._lanes = lanes
        self._seconds = seconds
        self._log = log
        self._strangers = Strangers()

    def endpoint(self, handle: Handle, *, is_signed: bool = False) -> Endpoint:
        """Returns an endpoint. Bodies whose signature is checked must not be packed."""

        async def respond(request: Request) -> Response:
            start, name = time.perf_counter(), logs.cut(request.url.path)
            try:
                report = await self._handled(request, handle, is_signed=is_signed)
                response = answer_report(report)
            except ClientDisconnect:
                self._log.write(name, "CANCELLED", time.perf_counter() - start)
                return Response(status_code=_LEFT)
            except Exception as error:  # noqa: BLE001 (the caller gets an answer, and the log the traceback)
                return self._refusal(request, name, error, time.perf_counter() - start)
            if report.was_sent:
                self._lanes.note(request.headers, is_valid=True)
            self._log.answered(name, time.perf_counter() - start)
            return response

        return respond

    async def _handled(self, request: Request, handle: Handle, *, is_signed: bool) -> Report:
        lane = self._lanes.lane(request.headers, is_signed=is_signed)
        async with lane.bodies.body(request, packed=not is_signed) as body:
            with deadline(self._seconds):
                async with lane.admission.slot(len(body), self._seconds):
                    return await handle(request, body)

    def _refusal(self, request: Request, name: str, error: Exception, seconds: float) -> Response:
        refused = refusal_of(error)
        if refused is None:
            self._log.write_fault(name, "INTERNAL", seconds, error)
            return answer(Refused(grpc.StatusCode.INTERNAL, INTERNAL))
        if refused.code is grpc.StatusCode.UNAUTHENTICATED:
            self._strangers.count(name)
            self._lanes.note(request.headers, is_valid=False)
        elif not isinstance(error, Overloaded):  # these are counted, too
            self._log.write(name, refused.code.name, seconds, error=logs.cut(str(refused)))
        return answer(refused)


class Strangers:
    """Counts requests without a valid key or signature: one log line at once, and then at most one a minute."""

    def __init__(self) -> None:
        self._count = 0
        self._path = ""
        self._is_waiting = False

    def count(self, path: str) -> None:
        """Counts a request."""
        self._count += 1
        self._path = path
        if not self._is_waiting:
            self._report()

    def _report(self) -> None:
        self._is_waiting = self._count > 0
        if self._is_waiting:
            _LOG.warning("requests without a valid key or signature refused", count=self._count, path=self._path)
            self._count = 0
            asyncio.get_running_loop().call_later(REPORT_SECONDS, self._report)


def refusal_of(error: Exception) -> Refused | None:
    """Returns the refusal that an error means; None for an unexpected one."""
    match error:
        case Refused():
            return error
        case InvalidRequest():
            return Refused(grpc.StatusCode.INVALID_ARGUMENT, str(error), reason("ARGUMENT_INVALID"))
        case grpc.aio.AioRpcError():
            return from_call(error)
        case Overloaded():
            sentence, seconds = str(error), error.retry_seconds
            return Refused(grpc.StatusCode.UNAVAILABLE, sentence, reason("OVERLOADED"), retry_seconds=seconds)
        case TimeoutError():
            return Refused(grpc.StatusCode.DEADLINE_EXCEEDED, "the request exceeded its deadline; send it again")
        case _:
            return None


async def answer_http_exception(_: Request, error: Exception) -> JSONResponse:
    """Answers a request that has no endpoint: 404 for an unknown path, 405 for another method than POST."""
    assert isinstance(error, HTTPException)  # noqa: S101 (it is registered for this class)
    if error.status_code == 405:
        method = Refused(grpc.StatusCode.UNIMPLEMENTED, "must be POST", status=405, headers=error.headers)
        return answer(method)
    return answer(Refused(grpc.StatusCode.NOT_FOUND, "there is nothing at this path", status=error.status_code))
