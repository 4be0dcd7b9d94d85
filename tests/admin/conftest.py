"""The admin service on a real database, with a clock that tests set."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from leadscore.admin.v1 import admin_pb2_grpc

from admin_service.servicer import ERRORS, AdminServicer
from admin_service.store import schema
from admin_service.store.audit import MongoAuditLog
from admin_service.store.keys import MongoKeys
from admin_service.usecases.keys import KeyBook
from shared.mongo import Database
from testkit.serving import served
from tests.admin.calling import Clock, Stub


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
async def book(database: Database, clock: Clock) -> KeyBook:
    await schema.migrate(database)
    return KeyBook(MongoKeys(database), clock)


@pytest.fixture
def servicer(database: Database, book: KeyBook, clock: Clock) -> AdminServicer:
    nothing: Any = None  # tests of the privacy of persons have a database with leads
    return AdminServicer(book, MongoAuditLog(database).page, nothing, clock)


@pytest.fixture
async def stub(servicer: AdminServicer) -> AsyncIterator[Stub]:
    async with served(
        ERRORS, lambda server: admin_pb2_grpc.add_AdminServiceServicer_to_server(servicer, server)
    ) as channel:
        yield admin_pb2_grpc.AdminServiceStub(channel)
