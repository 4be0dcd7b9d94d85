"""A gRPC server as every service runs it.

Guarantee: health is SERVING only while the service can do its work, and answers under any load. Each RPC is only for
callers with its role (health and reflection are for everybody), is bounded in time, is logged (see
`shared.rpc.call_log`; refused ones share a line), and fails only with the errors that its proto lists. At SIGTERM the
server reports NOT_SERVING, finishes running calls, and exits.
"""

import asyncio
import signal

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from shared import logs
from shared.deadlines import KEEPALIVE_SECONDS, PING_SECONDS
from shared.metrics.page import serving_metrics
from shared.rpc.admission import Admission, Streams
from shared.rpc.call_log import CallLog
from shared.rpc.handlers import guarded
from shared.rpc.health import Health, listen
from shared.rpc.service import Service
from shared.rpc.tls import server_credentials
from shared.settings import ServerSettings
from shared.tasks import running
from shared.traces.export import exporting_traces
from shared.watchdog import Heartbeat, watching

UNHEALTHY_PROBES = 2
"""Failed probes in a row that make a server unhealthy; one slow database answer under load is not an outage."""
LEAVE_SECONDS = 0.2
"""Before it stops, a server holds new calls for this long, and then answers UNAVAILABLE. gRPC answers CANCELLED to
calls that a stopped server has not looked at, and few callers retry that."""
CLOSE_SECONDS = 0.05
"""Delay between the beginning of the stop and the answers to held calls; by then no further call can arrive."""
FAILED_STOP_SECONDS = 2.0
"""Longest time to finish calls when a part of the server has failed."""
CALLER_PING_SECONDS = 30.0
"""The shortest interval at which callers may ping. gRPC's default of five minutes would disconnect callers that ping
once a minute, as is usual."""
MESSAGE_BYTES = 1024 * 1024
"""Largest message that a server accepts."""

_LOG = logs.get(__name__)


async def serve(service: Service, settings: ServerSettings) -> None:
    """Serves until SIGTERM or SIGINT. When it is cancelled, it stops sooner.

    Raises:
        StartupError: The port is taken, or a certificate file cannot be used.
        BackgroundTaskEnded: A part of the server has failed.
    """
    credentials, server, log = server_credentials(settings), _new_server(settings), CallLog()
    admission = Admission(settings.call_slots, settings.queue_seconds, service.gate)
    streams = Streams(service.streams, settings.stream_slots, settings.queue_seconds)
    servicer = Health(["", service.name], service.probe, max_failures=UNHEALTHY_PROBES)
    with exporting_traces(service.name):
        service.register(
            guarded(
                server,
                service.errors,
                admission,
                settings.call_seconds,
                streams,
                log,
                prepare=service.prepare,
                access=service.access,
            )
        )
        servicer.register(server)
        if settings.reflection:
            reflection.enable_server_reflection([service.name, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        await servicer.report(serving=False)
        address = listen(server, settings.host, settings.port, "LEADSCORE_PORT", credentials)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await server.start()
        with serving_metrics(settings), watching(Heartbeat()):
            try:
                async with running(servicer.watch()):
                    _LOG.info("serving", address=address)
                    await stop.wait()
            finally:
                await _leave(servicer, service, admission, streams.admission)
                await server.stop(settings.stop_seconds if stop.is_set() else FAILED_STOP_SECONDS)
                log.report()
    _LOG.info("stopped")


async def _leave(servicer: Health, service: Service, *admissions: Admission) -> None:
    """Reports NOT_SERVING, and makes calls that are held or would not end on their own fail soon."""
    await servicer.enter_graceful_shutdown()
    closing = [each.close() for each in admissions]
    await asyncio.sleep(LEAVE_SECONDS)
    for close in (*(each.set for each in closing), servicer.leave, service.leave):
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, close)


def _new_server(settings: ServerSettings) -> grpc.aio.Server:
    return grpc.aio.server(
        options=[
            # A stale process must not share the port; see `shared.processes`.
            ("grpc.so_reuseport", int(settings.processes > 1)),
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", round(KEEPALIVE_SECONDS * 1000)),
            ("grpc.http2.ping_timeout_ms", round(PING_SECONDS * 1000)),
            ("grpc.http2.min_ping_interval_without_data_ms", round(CALLER_PING_SECONDS * 1000)),
        ],
    )
