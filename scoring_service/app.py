"""The composition root: the only file that constructs stores, use cases and the servicer."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from leadscore.scoring.v1 import scoring_pb2_grpc

from scoring_service import metrics
from scoring_service.access import METHODS
from scoring_service.domain.calendar import Calendar, zone
from scoring_service.domain.replay import engine
from scoring_service.servicer import ERRORS, SERVICE, STREAMS, ScoringServicer
from scoring_service.settings import ScoringSettings
from scoring_service.store import schema
from scoring_service.store.backlog import BacklogReader
from scoring_service.store.exports import ExportReader
from scoring_service.store.facts import FactReader
from scoring_service.store.inactive_leads import InactiveLeadReader
from scoring_service.store.models import ModelStore
from scoring_service.store.reads import LeadReader
from scoring_service.store.samples import SampleReader
from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.backlog import BacklogReport
from scoring_service.usecases.cores import Cores, Stores
from scoring_service.usecases.corrections import Corrections
from scoring_service.usecases.decay import DecayRun
from scoring_service.usecases.drain import Drain
from scoring_service.usecases.export import Export
from scoring_service.usecases.health import CheckHealth
from scoring_service.usecases.inactive_leads import InactiveLeads
from scoring_service.usecases.lead_transaction import LeadTransaction
from scoring_service.usecases.preview import Previews
from scoring_service.usecases.processes import Processes, work_for_parent
from scoring_service.usecases.publishing import Publishing, Rollout
from scoring_service.usecases.queries import Queries
from scoring_service.usecases.reading import MetricsReader
from scoring_service.usecases.rebuild import Rebuild
from scoring_service.usecases.simulate import Simulate
from scoring_service.usecases.slow_lane import SlowLane
from scoring_service.usecases.verify import Verification
from shared import checkup, mongo, replica_sets, wire
from shared.access import enforcement
from shared.checkup import Check
from shared.contracts import events, score_changes
from shared.inbox import broker
from shared.inbox import schema as inbox_schema
from shared.inbox.broker import DoorbellBroker
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer, sweep
from shared.inbox.doorbell import Doorbell
from shared.inbox.parking import Parking
from shared.lead_ids import LeadIds
from shared.metrics.readings import Readings
from shared.mongo import Database
from shared.rpc.server import serve
from shared.rpc.service import Service
from shared.sharding import shard
from shared.tasks import running

AUTOMATION_GATHER_SECONDS = 0.2
"""Period whose rings for automation are sent together: an automation may come later than a score."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts that the server and the worker share."""

    database: Database
    replica: Database
    events: Inbox
    changes: Inbox
    models: ModelStore
    lead_writer: LeadWriter
    fact_reader: FactReader
    automation_doorbell: Doorbell
    calendar: Calendar

    @property
    def stores(self) -> Stores:
        """What work on many leads reads and writes."""
        models = ModelStore(self.replica, engine(self.calendar))
        return Stores(
            LeadReader(self.database, self.models, self.events),
            self.fact_reader,
            LeadReader(self.replica, models, self.events),
            FactReader(self.replica, self.events.partitions),
            self.lead_writer,
            self.automation_doorbell,
            self.calendar,
            wire.now,
        )

    @property
    def leads(self) -> LeadTransaction:
        """Updates single leads."""
        return LeadTransaction(self.lead_writer, self.fact_reader, self.automation_doorbell, self.calendar, wire.now)


async def run_server(settings: ScoringSettings) -> None:
    """Serves the ScoringService until SIGTERM."""
    connected = broker.connect(settings.redis_url.get_secret_value())
    async with _parts(settings, connected) as parts, _processes(settings) as processes:
        stores, calendar = parts.stores, parts.calendar
        cores, reader = Cores(stores, processes), stores.lead_reader
        lead_ids = LeadIds(settings.lead_ids)
        await lead_ids.check(parts.database)
        backlog = BacklogReader(parts.database, parts.events)
        report = BacklogReport(backlog, parts.models, calendar, wire.now)
        publishing = Publishing(parts.models, reader, SampleReader(parts.database), wire.now, settings.partitions)
        readings = Readings("scoring", MetricsReader(report, publishing, calendar).read, metrics.gauges)
        servicer = ScoringServicer(
            Queries(reader, stores.fact_reader, calendar, wire.now),
            Queries(stores.replica_leads, stores.replica_facts, calendar, wire.now),
            Previews(stores),
            Export(ExportReader(parts.replica, parts.events.partitions)),
            InactiveLeads(InactiveLeadReader(parts.database), parts.models, backlog),
            DecayRun(cores, settings.partitions),
            Verification(cores),
            Rebuild(cores),
            Corrections(parts.lead_writer, parts.leads, calendar, wire.now),
            publishing,
            Simulate(cores),
            CheckHealth(cores),
            Parking(parts.events),
            report,
        )
        async with (
            enforcement.opened(parts.database, settings, METHODS, ERRORS, service="scoring") as access,
            running(readings.run(settings)),
        ):
            service = Service(
                SERVICE,
                lambda server: scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicer, server),
                ERRORS,
                lambda: mongo.is_primary(parts.database),
                access,
                streams=STREAMS,
                prepare=lead_ids.apply,
            )
            await serve(service, settings)


async def run_helper(settings: ScoringSettings) -> None:
    """Does work for the server that started this process, until that closes standard input or ends."""
    async with _parts(settings, broker.connect(settings.redis_url.get_secret_value())) as parts:
        await work_for_parent(parts.stores)


@contextlib.asynccontextmanager
async def open_worker(settings: ScoringSettings, connected: DoorbellBroker) -> AsyncIterator[Drainer]:
    """Opens a worker, with its drains, slow lane, sweeper and rollout running."""
    async with _parts(settings, connected) as parts:
        doorbell = Doorbell(connected, events.CONTRACT.collection)
        slow_lane = SlowLane(parts.lead_writer, parts.leads)
        drain = Drain(
            parts.lead_writer, parts.fact_reader, parts.automation_doorbell, parts.calendar, wire.now, slow_lane
        )
        rollout = Rollout(parts.models, Cores(parts.stores), settings.partitions)
        drainer = Drainer(parts.events, doorbell, drain.step, batch_rows=settings.batch_rows)
        lanes = (drainer.run() for _ in range(settings.worker_lanes))
        sweeping = sweep(parts.events, doorbell, age=settings.sweep_age)
        async with running(
            doorbell.run(), *lanes, slow_lane.run(), drainer.isolated_retries.run(), sweeping, rollout.run()
        ):
            yield drainer


async def run_migration(settings: ScoringSettings, *, sharded: bool = False) -> None:
    """Creates what this service owns; initiates the replica set if necessary, or shards the collections."""
    uri = settings.mongo_uri.get_secret_value()
    if not sharded:
        await asyncio.to_thread(replica_sets.initiate, uri)
    database = await mongo.connect(uri)
    async with contextlib.aclosing(database.client):
        await schema.migrate(
            database,
            partitions=settings.partitions,
            time_zone=settings.time_zone,
            engine=engine(Calendar(zone(settings.time_zone))),
            now=wire.now(),
        )
        inbox = Inbox(database, score_changes.CONTRACT, partitions=settings.partitions)
        await inbox.migrate()
        if sharded:
            await inbox.record_shards(await shard(database, schema.SHARD_KEYS, partitions=settings.partitions))


def checks(settings: ScoringSettings) -> list[Check]:
    """Returns the checks of the database for this service."""
    partitions, calendar = settings.partitions, Calendar(zone(settings.time_zone))
    indexes = {**schema.INDEXES, score_changes.CONTRACT.collection: inbox_schema.indexes(score_changes.CONTRACT)}
    return [
        schema.SCHEMA.check,
        checkup.of_inbox(events.CONTRACT, partitions),
        checkup.of_inbox(score_changes.CONTRACT, partitions),
        lambda database: schema.check_time_zone(database, settings.time_zone),
        lambda database: schema.check_engine(database, engine(calendar)),
        LeadIds(settings.lead_ids).check,
        checkup.of_partitions("scoring_partitions", partitions, "scoring"),
        checkup.of_indexes(indexes, "scoring"),
    ]


@contextlib.asynccontextmanager
async def _processes(settings: ScoringSettings) -> AsyncIterator[Processes | None]:
    """Yields the helper processes of a server, or None if it should have none."""
    if not settings.helper_count:
        yield None
        return
    async with Processes((sys.executable, "-m", "scoring_service", "assist"), settings.helper_count) as processes:
        with metrics.Helpers(processes.pids).shown():
            yield processes


@contextlib.asynccontextmanager
async def _parts(settings: ScoringSettings, connected: DoorbellBroker) -> AsyncIterator[_Parts]:
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client):
        event_inbox = Inbox(database, events.CONTRACT, partitions=settings.partitions)
        change_inbox = Inbox(database, score_changes.CONTRACT, partitions=settings.partitions)
        await event_inbox.check()
        await change_inbox.check()
        calendar = Calendar(zone(settings.time_zone))
        await schema.check(database, time_zone=settings.time_zone, engine=engine(calendar))
        models = ModelStore(database, engine(calendar))
        writer = LeadWriter(
            database, models, event_inbox, change_inbox, transaction_seconds=settings.transaction_seconds
        )
        facts = FactReader(database, event_inbox.partitions)
        doorbell = Doorbell(connected, score_changes.CONTRACT.collection, gather_seconds=AUTOMATION_GATHER_SECONDS)
        async with running(doorbell.run()):
            replica = settings.replica(database)
            yield _Parts(database, replica, event_inbox, change_inbox, models, writer, facts, doorbell, calendar)
