"""The paths: Segment's API, CloudEvents, webhooks, and the health of the process."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import grpc
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway_service import metrics
from gateway_service.domain import cloudevents, segment
from gateway_service.domain.records import Record, items
from gateway_service.domain.report import Report
from gateway_service.ports import EventIngest
from gateway_service.servicer.bodies import content_type, parse_json, require_json
from gateway_service.servicer.credentials import bearer
from gateway_service.servicer.refusals import Refused, reason
from gateway_service.servicer.requests import Endpoint, Handle, Requests
from gateway_service.usecases import deliver
from gateway_service.webhooks.configuration import Webhook
from shared.mapping.converting import Converter
from shared.traces.spans import ERROR, Attributes, serving

SIGNATURE = "the signature is missing, wrong or too old"
"""The answer to every request of a webhook that is not verified."""


@dataclass(frozen=True, slots=True)
class Formats:
    """What the bodies mean: the mappings of Segment's messages and of CloudEvents, and the webhooks by name."""

    segment: Converter
    cloudevents: Converter
    webhooks: Mapping[str, Webhook]


@dataclass(frozen=True, slots=True)
class Callers:
    """Who calls the ingest service: somebody with these credentials (None: without any), or the gateway itself."""

    caller: Callable[[str | None], EventIngest]
    gateway: EventIngest


class Gateway:
    """Handles the requests of all paths."""

    def __init__(self, formats: Formats, callers: Callers, clock: Callable[[], datetime]) -> None:
        self._formats = formats
        self._callers = callers
        self._clock = clock

    def routes(self, requests: Requests, is_serving: Callable[[], Awaitable[bool]]) -> list[Route]:
        """Returns the routes of all paths."""
        return [
            _post("/v1/batch", requests.endpoint(self._segment(segment.batch))),
            *(_post(f"/v1/{kind}", requests.endpoint(self._segment(_of_kind(kind)))) for kind in segment.TYPES),
            _post("/v1/cloudevents", requests.endpoint(self.cloud_events)),
            Route("/v1/cloudevents", _handshake, methods=["OPTIONS"]),
            _post("/v1/webhooks/{name}", requests.endpoint(self.webhook, is_signed=True)),
            Route("/health", _health(is_serving), methods=["GET"]),
        ]

    def _segment(self, read: Callable[[object, datetime], list[Record]]) -> Handle:
        async def handle(request: Request, body: bytes) -> Report:
            require_json(request)
            message = parse_json(body)
            credentials = bearer(request.headers.get("authorization"), segment.write_key(message))
            records = read(message, self._clock())
            return await deliver(records, self._formats.segment, self._callers.caller(credentials))

        return handle

    async def cloud_events(self, request: Request, body: bytes) -> Report:
        """Handles CloudEvents, in any of the three modes."""
        credentials = bearer(request.headers.get("authorization"))
        records = _cloud_events(request, body, self._clock())
        return await deliver(records, self._formats.cloudevents, self._callers.caller(credentials))

    async def webhook(self, request: Request, body: bytes) -> Report:
        """Handles what a webhook sends: a record, or a list of records."""
        webhook = self._formats.webhooks.get(request.path_params["name"])
        if webhook is None:
            raise Refused(grpc.StatusCode.NOT_FOUND, "there is no webhook of this name")
        if not webhook.signature.is_valid(request.headers, body, self._clock()):
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, SIGNATURE, reason("SIGNATURE_INVALID"))
        signed = {name: request.headers.get(name) for name in webhook.signature.HEADERS}
        records = _webhook_records(parse_json(body), signed)
        ingest = self._callers.gateway if webhook.key is None else self._callers.caller(bearer(None, webhook.key))
        return await deliver(records, webhook.converter, ingest, ignores_others=True)


def _post(path: str, endpoint: Endpoint) -> Route:
    async def measured(request: Request) -> Response:
        started = time.perf_counter()
        about: Attributes = {"http.request.method": "POST", "http.route": path}
        with serving(f"POST {path}", request.headers, about):
            response = await endpoint(request)
            about["http.response.status_code"] = response.status_code
            if response.status_code >= 500:
                about[ERROR] = str(response.status_code)
        metrics.REQUESTS.labels(path, response.status_code).observe(time.perf_counter() - started)
        return response

    return Route(path, measured, methods=["POST"])


def _of_kind(kind: str) -> Callable[[object, datetime], list[Record]]:
    return lambda body, now: segment.single(kind, body, now)


def _cloud_events(request: Request, body: bytes, now: datetime) -> list[Record]:
    match content_type(request):
        case cloudevents.STRUCTURED:
            return cloudevents.structured(parse_json(body), now)
        case cloudevents.BATCHED:
            return cloudevents.batched(parse_json(body), now)
    if f"{cloudevents.HEADER_PREFIX}specversion" not in request.headers:
        expected = f"{cloudevents.STRUCTURED}, {cloudevents.BATCHED}, or JSON with the attributes in headers"
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"the body must be {expected}", status=415)
    require_json(request)
    return cloudevents.binary(request.headers, parse_json(body) if body else None, now)


def _webhook_records(body: object, signed: Mapping[str, str | None]) -> list[Record]:
    found = items("body", body) if isinstance(body, list) else [("", body)]
    return [
        Record(path, {**item, **signed}) if isinstance(item, dict) else Record(path, {}, "is not an object")
        for path, item in found
    ]


async def _handshake(request: Request) -> Response:
    """Agrees to a sender of CloudEvents that asks before it sends, as their specification of webhooks has it.

    That gives it no right: each of its events needs a key.
    """
    headers = {"allow": "POST, OPTIONS"}
    if origin := request.headers.get("webhook-request-origin"):
        rate = request.headers.get("webhook-request-rate", "*")
        headers |= {"webhook-allowed-origin": origin, "webhook-allowed-rate": rate}
    return Response(headers=headers)


def _health(is_serving: Callable[[], Awaitable[bool]]) -> Endpoint:
    async def health(_: Request) -> JSONResponse:
        serving = await is_serving()
        status = "SERVING" if serving else "NOT_SERVING"
        return JSONResponse({"status": status}, status_code=200 if serving else 503)

    return health
