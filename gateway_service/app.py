"""The composition root: the only file that names concrete classes."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from gateway_service import server
from gateway_service.clients import IngestService, is_serving
from gateway_service.servicer.bodies import MAX_TOTAL_BYTES, Bodies
from gateway_service.servicer.lanes import Lane, Lanes
from gateway_service.servicer.requests import Requests, answer_http_exception
from gateway_service.servicer.routes import Callers, Formats, Gateway
from gateway_service.settings import GatewaySettings
from gateway_service.webhooks.configuration import read_mapping, read_webhooks
from shared import wire
from shared.mapping.converting import Converter
from shared.mapping.parsing import read_preset
from shared.mapping.schema import MappingFile, TimeSection
from shared.mapping.times.readers import TimeOptions
from shared.rpc.admission import Admission
from shared.rpc.call_log import CallLog
from shared.rpc.channels import connect

NARROW_SHARE = 8
"""The share of slots and memory, 1/8, of each narrow lane, on top of those of the wide one."""


async def run_server(settings: GatewaySettings) -> None:
    """Serves HTTP until SIGTERM."""
    formats, log = read_formats(settings), CallLog()
    target = settings.ingest_target
    # A caller without a key must not call with that of the gateway.
    async with connect(target, settings, own_key=False) as callers, connect(target, settings) as own:
        gateway = Gateway(formats, Callers(partial(IngestService.of_caller, callers), IngestService(own)), wire.now)
        await server.serve(application(settings, gateway, lambda: is_serving(callers), log), settings)
    log.report()


def application(
    settings: GatewaySettings, gateway: Gateway, probe: Callable[[], Awaitable[bool]], log: CallLog
) -> Starlette:
    """Returns the application. `probe` returns whether requests can be handled."""
    wide, narrow, signed = _lane(settings), _lane(settings, NARROW_SHARE), _lane(settings, NARROW_SHARE)
    lanes = Lanes(wide, narrow, signed, open_to_all=not settings.authentication)
    requests = Requests(lanes, settings.call_seconds, log)
    return Starlette(routes=gateway.routes(requests, probe), exception_handlers={HTTPException: answer_http_exception})


def read_formats(settings: GatewaySettings) -> Formats:
    """Returns what the bodies of requests mean.

    Raises:
        StartupError: A file cannot be read, or has a mistake.
    """
    segment = _mapping(settings.segment_mapping, "segment")
    if segment.sent_time is None:
        # The messages come from a sender at once, whose clock is corrected; those in an export were sent long ago.
        segment = segment.model_copy(update={"sent_time": TimeSection.model_validate({"from": "sentAt"})})
    return Formats(
        segment=_converter(segment),
        cloudevents=_converter(_mapping(settings.cloudevents_mapping, "cloudevents")),
        webhooks=read_webhooks(Path(settings.webhooks_file)) if settings.webhooks_file else {},
    )


def _lane(settings: GatewaySettings, share: int = 1) -> Lane:
    admission = Admission(max(1, settings.call_slots // share), settings.queue_seconds)
    return Lane(admission, Bodies(settings.body_seconds, MAX_TOTAL_BYTES // share))


def _mapping(path: str, preset: str) -> MappingFile:
    return read_mapping(Path(path)) if path else read_preset(preset)


def _converter(mapping: MappingFile) -> Converter:
    return Converter(mapping, TimeOptions(), None)
