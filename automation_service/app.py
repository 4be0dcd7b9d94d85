"""The composition root: the only file that names concrete classes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from dramatiq.brokers.redis import RedisBroker

from automation_service import store
from automation_service.clients import IntelligenceInsights, ScoringStages
from automation_service.servicer import ERRORS, SERVICE, AutomationServicer
from automation_service.settings import AutomationSettings
from automation_service.store import MongoChanges, MongoExecutions, MongoRules
from automation_service.usecases import Evaluation, RuleBook
from shared import calls, mongo, wire
from shared.doorbell import Doorbell
from shared.inbox import Drainer, Inbox, sweep
from shared.pb.automation.v1 import automation_pb2_grpc
from shared.server import Service, serve
from shared.tasks import running


async def run_server(settings: AutomationSettings) -> None:
    """Serves the AutomationService until SIGTERM."""
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client), calls.connect(settings.scoring_target) as channel:
        rules = RuleBook(MongoRules(database), ScoringStages(channel), wire.now)
        servicer = AutomationServicer(rules, MongoExecutions(database))
        await serve(
            Service(
                SERVICE,
                lambda server: automation_pb2_grpc.add_AutomationServiceServicer_to_server(servicer, server),
                ERRORS,
                lambda: mongo.is_primary(database),
            ),
            settings,
        )


@contextlib.asynccontextmanager
async def open_worker(settings: AutomationSettings, connected: RedisBroker) -> AsyncIterator[Drainer]:
    """Opens what a worker needs, with its drains and the sweeper running."""
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client), calls.connect(settings.intelligence_target) as channel:
        inbox = Inbox(database, store.CHANGES, done=store.DONE, partitions=settings.partitions)
        await inbox.check()
        bell = Doorbell(connected, store.CHANGES)
        step = Evaluation(
            MongoChanges(database, inbox, transaction_seconds=settings.transaction_seconds),
            MongoRules(database),
            MongoExecutions(database),
            IntelligenceInsights(channel),
            wire.now,
        ).step
        drainer = Drainer(bell, step, batch_rows=settings.batch_rows)
        lanes = (drainer.run() for _ in range(settings.worker_lanes))
        async with running(bell.run(), *lanes, sweep(inbox, bell, age=settings.sweep_age)):
            yield drainer


async def run_migration(settings: AutomationSettings) -> None:
    """Creates what this service owns, after initiating the replica set if nobody has."""
    uri = settings.mongo_uri.get_secret_value()
    await asyncio.to_thread(mongo.initiate, uri)
    database = await mongo.connect(uri)
    async with contextlib.aclosing(database.client):
        await mongo.create_indexes(database, store.INDEXES)
