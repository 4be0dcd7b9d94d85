"""The composition root: the only file that names concrete classes."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from functools import partial

from leadscore.admin.v1 import admin_pb2_grpc

from admin_service.access import METHODS
from admin_service.clients import ScoringService
from admin_service.servicer import ERRORS, SERVICE, STREAMS, AdminServicer
from admin_service.settings import AdminSettings
from admin_service.store import erasures, schema
from admin_service.store.audit import MongoAuditLog
from admin_service.store.audit_traces import AuditTraces
from admin_service.store.erasures import MongoErasures
from admin_service.store.keys import MongoKeys
from admin_service.store.known_leads import known_leads
from admin_service.store.lead_export import LeadExport
from admin_service.store.leads import Judge, LeadMover
from admin_service.store.old_events import OldEvents
from admin_service.store.old_executions import OldExecutions
from admin_service.store.traces import Traces
from admin_service.usecases.compaction import Compaction
from admin_service.usecases.erasures import Erasing
from admin_service.usecases.keys import Draft, KeyBook
from admin_service.usecases.privacy import Privacy
from shared import checkup, mongo, replica_sets, wire
from shared.access import enforcement
from shared.checkup import Check
from shared.lead_ids import LeadIds
from shared.mongo import Database
from shared.rpc import channels
from shared.rpc.server import serve
from shared.rpc.service import Service
from shared.settings import StartupError
from shared.tasks import running


async def run_server(settings: AdminSettings) -> None:
    """Serves the AdminService until SIGTERM."""
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client), channels.connect(settings.scoring_target, settings) as channel:
        await schema.check(database)
        lead_ids = LeadIds(settings.lead_ids)
        await lead_ids.check(database)
        privacy = await open_privacy(database, ScoringService(channel).judge)
        book = KeyBook(MongoKeys(database), wire.now)
        servicer = AdminServicer(book, MongoAuditLog(database).page, privacy, wire.now)
        async with (
            enforcement.opened(database, settings, METHODS, ERRORS, service="admin") as access,
            running(privacy.erasing.run()),
        ):
            service = Service(
                SERVICE,
                lambda server: admin_pb2_grpc.add_AdminServiceServicer_to_server(servicer, server),
                ERRORS,
                lambda: mongo.is_primary(database),
                access,
                streams=STREAMS,
                prepare=lead_ids.apply,
            )
            await serve(service, settings)


async def open_privacy(database: Database, judge: Judge, clock: Callable[[], datetime] = wire.now) -> Privacy:
    """Returns what erases, compacts and exports; `judge` returns the verdicts of events.

    Raises:
        StartupError: The database has no inbox of events.
    """
    partitions, digests = await schema.partitions(database), await erasures.digests(database)
    stored, traces = MongoErasures(database), Traces(database, partitions)
    erasing = Erasing(
        stored,
        LeadMover(database, partitions, judge),
        traces,
        AuditTraces(database),
        digests,
        partitions.count,
        partial(known_leads, database),
        clock,
    )
    return Privacy(
        erasing,
        Compaction(OldEvents(database, partitions), OldExecutions(database), judge),
        LeadExport(database, partitions, traces),
    )


def checks(settings: AdminSettings) -> list[Check]:
    """Returns the checks of the database for this service."""
    return [schema.check, LeadIds(settings.lead_ids).check, checkup.of_indexes(schema.INDEXES, "admin")]


async def run_migration(settings: AdminSettings, *, sharded: bool = False) -> None:
    """Creates what this service owns; initiates the replica set if necessary, unless it is a cluster.

    The collections of this service are small, so a cluster keeps each on one shard.
    """
    uri = settings.mongo_uri.get_secret_value()
    if not sharded:
        await asyncio.to_thread(replica_sets.initiate, uri)
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
