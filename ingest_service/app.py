"""The composition root: the only file that names concrete classes."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

from leadscore.ingest.v1 import ingest_pb2_grpc

from ingest_service.access import METHODS
from ingest_service.domain.event import MAX_EVENTS
from ingest_service.servicer import ERRORS, SERVICE, IngestServicer
from ingest_service.settings import IngestSettings
from ingest_service.store import SCHEMA, SHARD_KEYS, ErasureReader, EventIds, MongoEventStore
from ingest_service.usecases.backlog import BacklogMonitor
from ingest_service.usecases.erasures import ErasedLeads
from ingest_service.usecases.ingest import Ingest
from shared import checkup, logs, mongo, replica_sets, wire
from shared.access import enforcement, rates
from shared.checkup import Check
from shared.contracts import events
from shared.group_commit import GroupCommit
from shared.inbox import broker
from shared.inbox.collection import Inbox
from shared.inbox.doorbell import Doorbell
from shared.inbox.schema import indexes
from shared.indexes import create_indexes
from shared.lead_ids import LeadIds
from shared.rpc.server import serve
from shared.rpc.service import Service
from shared.sharding import shard
from shared.tasks import running

MAX_CLOCK_ERROR = timedelta(minutes=1)
"""Above it, a warning is logged at start: events that are more than 5 minutes ahead of this clock are refused."""

_LOG = logs.get(__name__)


async def run_server(settings: IngestSettings) -> None:
    """Serves the IngestService until SIGTERM."""
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client):
        await SCHEMA.check(database)
        inbox = Inbox(database, events.CONTRACT, partitions=settings.partitions)
        await inbox.check()
        lead_ids = LeadIds(settings.lead_ids)
        await lead_ids.check(database)
        await warn_of_clock(database, wire.now)
        doorbell = Doorbell(broker.connect(settings.redis_url.get_secret_value()), events.CONTRACT.collection)
        event_ids = EventIds(database)
        erased = ErasedLeads(ErasureReader(database), begins_anew=settings.erased_leads == "restart")
        await erased.refresh()
        store = MongoEventStore(inbox, wire.now, event_ids if await event_ids.are_kept() else None, erased.resent)
        group = GroupCommit(store.put, limit=MAX_EVENTS, seconds=settings.call_seconds)
        monitor = BacklogMonitor(inbox, wire.now, limits=settings.limits, partitions=settings.partitions)
        ingest = Ingest(
            store, group, doorbell, wire.now, lambda lead_id: monitor.refusal(lead_id) or erased.refusal(lead_id)
        )
        async with (
            enforcement.opened(database, settings, METHODS, ERRORS, service="ingest") as access,
            running(doorbell.run(), monitor.run(), erased.run()),
        ):
            service = Service(
                SERVICE,
                lambda server: ingest_pb2_grpc.add_IngestServiceServicer_to_server(IngestServicer(ingest), server),
                ERRORS,
                lambda: mongo.is_primary(database),
                access,
                gate=monitor.check_call,
                prepare=lead_ids.apply,
            )
            await serve(service, settings)


def checks(settings: IngestSettings) -> list[Check]:
    """Returns the checks of the database for this service."""
    return [
        SCHEMA.check,
        checkup.of_inbox(events.CONTRACT, settings.partitions),
        LeadIds(settings.lead_ids).check,
        checkup.of_indexes({events.CONTRACT.collection: indexes(events.CONTRACT), **rates.INDEXES}, "ingest"),
    ]


async def warn_of_clock(database: mongo.Database, clock: Callable[[], datetime]) -> None:
    """Logs a warning if the clock of this machine differs from that of MongoDB: one of the two is wrong."""
    ahead = clock() - await mongo.server_time(database)
    if abs(ahead) > MAX_CLOCK_ERROR:
        advice = "synchronise the clocks: events that are more than 5 minutes ahead of this one are refused"
        _LOG.warning("clock differs from that of MongoDB", seconds_ahead=round(ahead.total_seconds()), advice=advice)


async def run_migration(settings: IngestSettings, *, sharded: bool = False) -> None:
    """Creates the inbox `events` and the counts of keys' events, and records the form of lead ids.

    Initiates the replica set if necessary, or shards the collections of a cluster.
    """
    uri = settings.mongo_uri.get_secret_value()
    if not sharded:
        await asyncio.to_thread(replica_sets.initiate, uri)
    database = await mongo.connect(uri)
    async with contextlib.aclosing(database.client):
        await SCHEMA.migrate(database)
        inbox = Inbox(database, events.CONTRACT, partitions=settings.partitions)
        await inbox.migrate()
        await create_indexes(database, rates.INDEXES)
        await LeadIds(settings.lead_ids).record(database)
        if sharded:
            await inbox.record_shards(await shard(database, SHARD_KEYS, partitions=settings.partitions))
            await EventIds(database).begin()
