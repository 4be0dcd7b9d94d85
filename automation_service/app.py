"""The composition root: the only file that names concrete classes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from leadscore.automation.v1 import automation_pb2_grpc

from automation_service import metrics
from automation_service.access import METHODS
from automation_service.clients import IntelligenceInsights, ScoringInactiveLeads, ScoringModels
from automation_service.delivery.address_guard import Guard, GuardedTransport, SystemResolver
from automation_service.delivery.attempt import MAX_SETTLED, SETTLE_SECONDS, DeliveryAttempt
from automation_service.delivery.dispatcher import Dispatcher, repair_due_times
from automation_service.delivery.endpoints import PER_ENDPOINT
from automation_service.delivery.receivers import AllReceivers, HttpReceivers, SmtpServer, open_client
from automation_service.delivery.templates import SandboxedTemplates
from automation_service.servicer import ERRORS, SERVICE, AutomationServicer
from automation_service.settings import AutomationSettings
from automation_service.store import schema
from automation_service.store.backlog import MongoBacklog
from automation_service.store.changes import MongoChanges
from automation_service.store.deliveries import MongoDeliveries
from automation_service.store.executions import MongoExecutions
from automation_service.store.hold import MongoHold
from automation_service.store.rules import MongoRules
from automation_service.store.searches import MongoSearches
from automation_service.usecases.evaluation import Evaluation
from automation_service.usecases.hold import Holding
from automation_service.usecases.inactivity import InactivitySearch
from automation_service.usecases.reencryption import reencrypt
from automation_service.usecases.rules import RuleBook, RuleValidator
from automation_service.usecases.trials import RuleTester
from shared import checkup, logs, mongo, replica_sets, wire
from shared.access import enforcement
from shared.checkup import Check
from shared.contracts import score_changes
from shared.group_commit import GroupCommit
from shared.inbox.broker import DoorbellBroker
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer, sweep
from shared.inbox.doorbell import Doorbell
from shared.inbox.parking import Parking
from shared.lead_ids import LeadIds
from shared.metrics.readings import Readings
from shared.rpc.channels import connect
from shared.rpc.server import serve
from shared.rpc.service import Service
from shared.settings import StartupError
from shared.sharding import shard
from shared.tasks import running

MAX_NAMED = 10
"""Rules that an error names."""
_LOG = logs.get(__name__)


async def run_server(settings: AutomationSettings) -> None:
    """Serves the AutomationService until SIGTERM."""
    keys = settings.secret_keyring()
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with (
        contextlib.aclosing(database.client),
        connect(settings.scoring_target, settings) as scoring,
        connect(settings.intelligence_target, settings) as intelligence,
        _receivers(settings) as receivers,
    ):
        changes = Inbox(database, score_changes.CONTRACT, partitions=settings.partitions)
        await changes.check()
        await schema.check(database, partitions=settings.partitions)
        lead_ids = LeadIds(settings.lead_ids)
        await lead_ids.check(database)
        rules, executions = MongoRules(database, keys), MongoExecutions(database, changes.partitions)
        validator = RuleValidator(ScoringModels(scoring), receivers, SandboxedTemplates(), settings.webhook_http)
        insights, backlog = IntelligenceInsights(intelligence), MongoBacklog(database, changes, wire.now)
        servicer = AutomationServicer(
            RuleBook(rules, validator, wire.now),
            RuleTester(rules, executions, insights, validator, settings.smtp_sender, wire.now),
            MongoExecutions(settings.replica(database), changes.partitions),
            Parking(changes),
            backlog.read,
            Holding(MongoHold(database), wire.now),
        )
        readings = Readings("automation", backlog.read, metrics.gauges)
        async with (
            enforcement.opened(database, settings, METHODS, ERRORS, service="automation") as access,
            running(readings.run(settings)),
        ):
            service = Service(
                SERVICE,
                lambda server: automation_pb2_grpc.add_AutomationServiceServicer_to_server(servicer, server),
                ERRORS,
                lambda: mongo.is_primary(database),
                access,
                prepare=lead_ids.apply,
            )
            await serve(service, settings)


@contextlib.asynccontextmanager
async def open_worker(settings: AutomationSettings, connected: DoorbellBroker) -> AsyncIterator[Drainer]:
    """Opens what a worker needs, and runs its drains, the sweeper and the delivery loop."""
    keys = settings.secret_keyring()
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with (
        contextlib.aclosing(database.client),
        connect(settings.scoring_target, settings) as scoring,
        connect(settings.intelligence_target, settings) as intelligence,
        _receivers(settings) as receivers,
    ):
        contract, partitions = score_changes.CONTRACT, settings.partitions
        inbox = Inbox(database, contract, partitions=partitions, keep=settings.keep_changes)
        await inbox.check()
        await schema.check(database, partitions=settings.partitions)
        doorbell = Doorbell(connected, score_changes.CONTRACT.collection)
        rules, deliveries = MongoRules(database, keys), MongoDeliveries(database, inbox.partitions)
        settling = GroupCommit(deliveries.settle, limit=MAX_SETTLED, seconds=SETTLE_SECONDS)
        attempt = DeliveryAttempt(settling, rules, receivers, keys, settings.schedule, wire.now)
        dispatcher = Dispatcher(deliveries, MongoHold(database), attempt, wire.now)
        evaluation = Evaluation(
            MongoChanges(database, inbox, transaction_seconds=settings.transaction_seconds),
            rules,
            MongoExecutions(database, inbox.partitions),
            IntelligenceInsights(intelligence),
            SandboxedTemplates(),
            settings.smtp_sender,
            dispatcher,
            wire.now,
        )
        searching = InactivitySearch(
            MongoSearches(database), ScoringInactiveLeads(scoring), rules, evaluation, wire.now
        ).run()
        step = evaluation.step
        drainer = Drainer(inbox, doorbell, step, batch_rows=settings.batch_rows)
        lanes = (drainer.run() for _ in range(settings.worker_lanes))
        sweeping = sweep(inbox, doorbell, age=settings.sweep_age)
        isolated = drainer.isolated_retries.run()
        repairing = repair_due_times(deliveries, wire.now)
        async with running(doorbell.run(), *lanes, isolated, sweeping, dispatcher.run(), repairing, searching):
            yield drainer


def checks(settings: AutomationSettings) -> list[Check]:
    """Returns the checks of the database for this service."""
    return [
        schema.SCHEMA.check,
        checkup.of_inbox(score_changes.CONTRACT, settings.partitions),
        LeadIds(settings.lead_ids).check,
        checkup.of_partitions(schema.PARTITIONS, settings.partitions, "automation"),
        checkup.of_indexes(schema.INDEXES, "automation"),
    ]


@contextlib.asynccontextmanager
async def _receivers(settings: AutomationSettings) -> AsyncIterator[AllReceivers]:
    guard = Guard(settings.networks, SystemResolver())
    smtp = SmtpServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_tls,
        settings.smtp_user,
        settings.smtp_password.get_secret_value,
        settings.smtp_sender,
    )
    async with open_client(GuardedTransport(guard, per_endpoint=PER_ENDPOINT)) as client:
        yield AllReceivers(
            HttpReceivers(client, guard, wire.now, allow_http=settings.webhook_http),
            smtp if settings.smtp_host else None,
        )


async def run_migration(settings: AutomationSettings, *, sharded: bool = False) -> None:
    """Creates what this service owns; initiates the replica set if necessary, or shards the collections."""
    uri = settings.mongo_uri.get_secret_value()
    if not sharded:
        await asyncio.to_thread(replica_sets.initiate, uri)
    database = await mongo.connect(uri)
    async with contextlib.aclosing(database.client):
        await schema.migrate(database, partitions=settings.partitions)
        if sharded:
            await shard(database, schema.SHARD_KEYS, partitions=settings.partitions)


async def run_hold(settings: AutomationSettings) -> None:
    """Begins a hold on deliveries without a server, for the time between a restore and the first start."""
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client):
        await Holding(MongoHold(database), wire.now).hold("a restore", "automation_service hold")


async def run_reencryption(settings: AutomationSettings) -> None:
    """Encrypts the secrets of all rules with the first of the keys, and logs how many rules it rewrote.

    Raises:
        StartupError: Some rules have a secret that no key decrypts. All others are rewritten.
    """
    keys = settings.secret_keyring()
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client):
        count, unreadable = await reencrypt(MongoRules(database, keys), keys)
    _LOG.info("secrets encrypted", rules=count)
    if unreadable:
        more = f" and {len(unreadable) - MAX_NAMED} more" if len(unreadable) > MAX_NAMED else ""
        named = ", ".join(unreadable[:MAX_NAMED])
        raise StartupError(f"no key decrypts all secrets of these rules, which stay as they are: {named}{more}")
