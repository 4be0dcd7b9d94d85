"""A gateway in this process, and the real rules of the ingest service behind it, with a store in memory."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import partial
from typing import Any

import httpx

from gateway_service.app import application, read_formats
from gateway_service.clients import IngestService
from gateway_service.servicer.routes import Callers, Gateway
from gateway_service.settings import GatewaySettings
from shared.access.enforcement import OPEN, Access
from shared.rpc.call_log import CallLog
from shared.rpc.channels import connect
from tests.ingest.fakes import NOW, FakeEventStore
from tests.ingest.requests import ingest_port

TIME = "2026-03-01T11:59:00.000Z"
"""A minute before the time of the services."""


def settings_of(**values: Any) -> GatewaySettings:
    """Returns settings with some values; all others are the defaults."""
    return GatewaySettings.model_validate(values)


async def always_serving() -> bool:
    return True


@contextlib.asynccontextmanager
async def gateway(
    store: FakeEventStore,
    *,
    clock: Callable[[], datetime] = lambda: NOW,
    now: datetime = NOW,
    access: Access = OPEN,
    **settings: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """Yields a client of a gateway with a clock, and an ingest service whose time is `now`."""
    async with (
        ingest_port(store, now=now, access=access) as port,
        connect(f"127.0.0.1:{port}", settings_of()) as channel,
        answering(
            Callers(partial(IngestService.of_caller, channel), IngestService(channel)), clock, **settings
        ) as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def answering(
    callers: Callers, clock: Callable[[], datetime] = lambda: NOW, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Yields a client of a gateway that sends events to `callers`."""
    read = settings_of(**settings)
    app = application(read, Gateway(read_formats(read), callers, clock), always_serving, CallLog())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client
