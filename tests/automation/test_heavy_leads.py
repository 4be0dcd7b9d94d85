"""Leads with the maximum attributes do not delay others: scoring, intelligence and automation over a real database."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from leadscore.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2_grpc

from automation_service import clients
from automation_service.clients import IntelligenceInsights
from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.condition import Conditions
from automation_service.domain.execution import Execution
from automation_service.domain.lead import Row
from automation_service.domain.rule import Rule
from automation_service.ports import ExecutionQuery
from automation_service.store import schema as automation_schema
from automation_service.store.changes import MongoChanges
from automation_service.store.executions import MongoExecutions
from automation_service.store.rules import MongoRules
from automation_service.usecases.evaluation import Evaluation
from intelligence_service.clients import ScoringModels, ScoringServiceReader
from intelligence_service.servicer import ERRORS, IntelligenceServicer
from intelligence_service.usecases import Intelligence
from intelligence_service.watchers import Watchers
from scoring_service.domain.attributes import Attributes
from scoring_service.domain.calendar import Calendar
from scoring_service.domain.lead import Lead
from scoring_service.servicer import ScoringServicer
from scoring_service.store import documents
from scoring_service.store import schema as scoring_schema
from scoring_service.store.models import ModelStore
from scoring_service.store.reads import LeadReader
from scoring_service.usecases.publishing import Publishing
from scoring_service.usecases.queries import Queries
from shared import wire
from shared.contracts import events, score_changes
from shared.contracts.score_changes import lead_of
from shared.inbox import broker as brokers
from shared.inbox import parking as parking_module
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell
from shared.inbox.parking import Parking
from shared.mongo import Database
from shared.rpc.handlers import Context
from shared.tasks import running
from testkit.secret_keys import KEYS
from testkit.serving import served
from testkit.waiting import eventually
from tests.automation.fakes import NOW, SENDER, FakeDeliveryQueue, change, rule, webhook
from tests.automation.partitioned import PARTITIONED
from tests.automation.test_drain import put
from tests.intelligence.fakes import FakeLeadChanges
from tests.scoring.conftest import ENGINE

LEADS = [f"lead-{number}" for number in range(30)]
ATTRIBUTES = {f"attribute-{number:03}": "x" * 230 for number in range(255)} | {"name": "Ada"}
"""The maximum number of attributes of a lead, about 64 KiB together."""
HEAVY = "lead-7"


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    """The changes of thirty heavy leads, all in one row."""
    await scoring_schema.migrate(database, partitions=1, time_zone="UTC", engine=ENGINE, now=NOW - timedelta(days=100))
    inbox = Inbox(database, score_changes.CONTRACT, partitions=1)
    await inbox.migrate()
    await automation_schema.migrate(database, partitions=1)
    for lead_id in LEADS:
        lead = Lead(lead_id, 1)
        state = lead.state._replace(score=40, event_count=1, last_event_time=NOW, attributes=Attributes.of(ATTRIBUTES))
        row = documents.write_lead(lead._replace(state=state)) | {"partition": 0}
        await database["leads"].insert_one(row)
    await put(inbox, *(replace(change(lead_id), row=Row("all", 0)) for lead_id in LEADS))
    return inbox


class Silent(IntelligenceServicer):
    """Never responds to requests for the attributes of `HEAVY`."""

    async def BatchGetLeadIntelligence(  # noqa: N802 (named as the RPC is)
        self, request: intelligence_pb2.BatchGetLeadIntelligenceRequest, context: Context
    ) -> intelligence_pb2.BatchGetLeadIntelligenceResponse:
        """See `intelligence.proto`."""
        if HEAVY in request.lead_ids and "attributes" in request.read_mask.paths:
            await asyncio.Event().wait()
        return await super().BatchGetLeadIntelligence(request, context)


@contextlib.asynccontextmanager
async def asked(database: Database, servicer: type[IntelligenceServicer]) -> AsyncIterator[IntelligenceInsights]:
    """Yields a client of the intelligence service, which uses the scoring service and the database."""
    unreached: Any = None
    models = ModelStore(database, ENGINE)
    lead_reader = LeadReader(database, models, Inbox(database, events.CONTRACT, partitions=1))
    scoring = ScoringServicer(
        queries=Queries(lead_reader, unreached, Calendar(ZoneInfo("UTC")), lambda: NOW),
        lists=unreached,
        previews=unreached,
        export=unreached,
        inactive_leads=unreached,
        decay=unreached,
        verification=unreached,
        rebuild=unreached,
        corrections=unreached,
        publishing=Publishing(models, lead_reader, unreached, lambda: NOW, 1),
        simulate=unreached,
        check_health=unreached,
        parking=unreached,
        backlog=unreached,
    )
    async with served({}, lambda server: scoring_pb2_grpc.add_ScoringServiceServicer_to_server(scoring, server)) as to:
        intelligence = Intelligence(ScoringServiceReader(to), ScoringModels(to))
        answering = servicer(intelligence, Watchers(FakeLeadChanges(), intelligence))
        async with served(
            ERRORS, lambda server: intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(answering, server)
        ) as channel:
            yield IntelligenceInsights(channel)


def evaluating(database: Database, inbox: Inbox, insights: IntelligenceInsights) -> Evaluation:
    changes = MongoChanges(database, inbox, transaction_seconds=60)
    rules, executions = MongoRules(database, KEYS), MongoExecutions(database, PARTITIONED)
    return Evaluation(changes, rules, executions, insights, SandboxedTemplates(), SENDER, FakeDeliveryQueue(), wire.now)


async def fired(database: Database, made: Rule, inbox: Inbox) -> list[Execution]:
    """Returns the executions that one step records with this rule."""
    await MongoRules(database, KEYS).create(made)
    async with asked(database, IntelligenceServicer) as insights:
        assert await evaluating(database, inbox, insights).step([0], 500) == 30
    assert await inbox.waiting() == {}
    return await MongoExecutions(database, PARTITIONED).page(ExecutionQuery(99))


async def test_a_rule_on_velocity_fires_for_all_heavy_leads(database: Database, inbox: Inbox) -> None:
    recorded = await fired(database, rule("calm", Conditions(maximum_velocity=5)), inbox)
    assert sorted(each.key.lead_id for each in recorded) == sorted(LEADS)


async def test_a_rule_that_sends_attributes_sends_all_for_every_lead(database: Database, inbox: Inbox) -> None:
    recorded = await fired(database, rule("call", None, webhook()), inbox)
    assert sorted(each.key.lead_id for each in recorded) == sorted(LEADS)
    for each in recorded:
        assert json.loads(each.deliveries[0].body)["data"]["lead"]["attributes"] == ATTRIBUTES


@pytest.fixture
def doorbell(redis_url: str) -> Iterator[Doorbell]:
    broker = brokers.connect(redis_url)
    yield Doorbell(broker, f"changes_{uuid.uuid4().hex}")
    broker.client.close()


async def test_a_lead_that_always_times_out_is_parked_and_the_others_are_evaluated(
    database: Database, inbox: Inbox, doorbell: Doorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(clients, "PROBE_SECONDS", 60.0)
    monkeypatch.setattr(parking_module, "PAUSE", timedelta(milliseconds=10))
    await MongoRules(database, KEYS).create(rule("call", None, webhook()))
    async with asked(database, Silent) as insights:
        evaluation = evaluating(database, inbox, insights)
        drainer = Drainer(inbox, doorbell, evaluation.step, batch_rows=500)
        async with running(doorbell.run(), drainer.run(), drainer.isolated_retries.run(every=0.05)):
            await drainer.drain([0])

            async def others_fired() -> bool:
                return await database[automation_schema.EXECUTIONS].count_documents({}) == 29

            await eventually(others_fired, what="an execution for every lead but the silent one")

            async def parked() -> bool:
                return await Parking(inbox).count() == 1

            await eventually(parked, what="the change of the silent lead to be parked after its attempts")
    [row] = await Parking(inbox).page((), 9)
    assert (lead_of(row.row), row.attempts) == (HEAVY, parking_module.MAX_ATTEMPTS)
    assert "the intelligence service does not answer about lead 'lead-7'" in row.reason
    assert row.reason.endswith("then retry"), "the reason tells what to do"
