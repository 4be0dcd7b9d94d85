"""The composition root: the only file that names concrete classes."""

import asyncio
import contextlib

from leadscore.admin.v1 import admin_pb2_grpc

from admin_service.access import METHODS
from admin_service.servicer import ERRORS, SERVICE, AdminServicer
from admin_service.settings import AdminSettings
from admin_service.store import schema
from admin_service.store.audit import MongoAuditLog
from admin_service.store.keys import MongoKeys
from admin_service.usecases.keys import Draft, KeyBook
from shared import mongo, wire
from shared.access import enforcement
from shared.lead_ids import LeadIds
from shared.rpc.server import Service, serve
from shared.settings import StartupError


async def run_server(settings: AdminSettings) -> None:
    """Serves the AdminService until SIGTERM."""
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client):
        await schema.check(database)
        lead_ids = LeadIds(settings.lead_ids)
        await lead_ids.check(database)
        servicer = AdminServicer(KeyBook(MongoKeys(database), wire.now), MongoAuditLog(database).page, wire.now)
        async with enforcement.opened(database, settings, METHODS, ERRORS, service="admin") as access:
            service = Service(
                SERVICE,
                lambda server: admin_pb2_grpc.add_AdminServiceServicer_to_server(servicer, server),
                ERRORS,
                lambda: mongo.is_primary(database),
                access,
                prepare=lead_ids.apply,
            )
            await serve(service, settings)


async def run_migration(settings: AdminSettings, *, sharded: bool = False) -> None:
    """Creates what this service owns; initiates the replica set if necessary, unless it is a cluster.

    The collections of this service are small, so a cluster keeps each on one shard.
    """
    uri = settings.mongo_uri.get_secret_value()
    if not sharded:
        await asyncio.to_thread(mongo.initiate, uri)
    database = await mongo.connect(uri)
    async with contextlib.aclosing(database.client):
        await schema.migrate(database)


async def run_bootstrap(settings: AdminSettings) -> None:
    """Makes the first key and prints its text.

    Raises:
        StartupError: A live key has the role, or the database has not been migrated.
    """
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client):
        await schema.check(database)
        draft = Draft(settings.bootstrap_name, settings.first_roles, "bootstrap")
        text = await KeyBook(MongoKeys(database), wire.now).create_first(draft)
    if not text:
        raise StartupError(
            f"a key with one of the roles {settings.bootstrap_roles} exists that is neither revoked nor expired: use "
            "it to create others"
        )
    print(text)  # noqa: T201 (the only time that it is shown)
