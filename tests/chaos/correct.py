"""Makes a correct database with the services' own code, and the journal of what its clients observed."""

import itertools
import random
import uuid
from dataclasses import replace
from datetime import timedelta

import grpc
from leadscore.ingest.v1 import ingest_pb2
from leadscore.scoring.v1 import scoring_pb2

from admin_service.store import schema as admin_schema
from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.condition import Conditions
from automation_service.domain.rule import Rule
from automation_service.domain.trigger import EventReceived, StageEntered
from automation_service.store import schema as automation_schema
from automation_service.store.changes import MongoChanges
from automation_service.store.executions import MongoExecutions
from automation_service.store.rules import MongoRules
from automation_service.usecases.evaluation import Evaluation
from chaos.corruptions.snapshot import Snapshot
from chaos.journal import Backlog, Bystander, FinishedCall, Health, Journal, Request
from ingest_service.domain.event import Event
from ingest_service.store import MongoEventStore
from scoring_service import model_codec
from scoring_service.domain.timeline import Mode
from scoring_service.store import schema
from scoring_service.usecases.corrections import AdjustmentRequest
from shared import mongo, wire
from shared.contracts.events import CONTRACT as EVENTS
from shared.contracts.score_changes import CONTRACT as CHANGES
from shared.inbox.collection import Inbox
from shared.message_files import yaml_text
from shared.mongo import Database
from testkit.secret_keys import KEYS
from tests.admin.calling import Clock
from tests.admin.erasing import new_privacy
from tests.automation.fakes import SENDER, FakeDeliveryQueue, FakeInsights, rule, webhook
from tests.conftest import PARTITIONS, ROOT
from tests.scoring.conftest import ENGINE, NOW, Scoring, days_ago

LEADS, EVE = ("ada", "bob", "cyd", "dan"), "eve@example.com"
KINDS = (
    *("page_view", "page_view", "download", "signup", "demo_request", "demo_request", "contract_signed"),
    *("unsubscribe", "trial_started", "webinar_attended"),
)
RULES: tuple[Rule, ...] = (
    rule("while", Conditions(stages=("hot", "qualified")), webhook()),
    replace(
        rule("entered"),
        draft=replace(rule("entered", Conditions(stages=("qualified",))).draft, trigger=StageEntered(("qualified",))),
    ),
    replace(
        rule("received"),
        draft=replace(
            rule("received", Conditions()).draft, trigger=EventReceived("demo_request"), actions=(webhook(),)
        ),
    ),
)


def make_events() -> list[ingest_pb2.Event]:
    """Returns seeded events of one month in random order, so that many are late."""
    chance = random.Random(7)
    events = []
    for number in range(60):
        event = ingest_pb2.Event(
            event_id=f"e{number}",
            lead_id=LEADS[number % len(LEADS)],
            event_type=chance.choice(KINDS),
            event_time=wire.to_timestamp(days_ago(chance.randrange(30)) - timedelta(hours=chance.randrange(9))),
            source="website",
        )
        event.properties.update({"url": chance.choice(["/pricing", "/docs"]), "minutes": chance.randrange(40)})
        event.properties.update({"phone": None if number % 3 else "1", "seats": 60, "utm": {"medium": "partner"}})
        events.append(event)
    return events


async def drain(scoring: Scoring) -> None:
    """Drains events in small transactions, then changes."""
    while await scoring.drain_all(5):
        scoring.now += timedelta(milliseconds=1)
    changes = MongoChanges(scoring.database, scoring.changes, transaction_seconds=10)
    rules, executions = (
        MongoRules(scoring.database, KEYS),
        MongoExecutions(scoring.database, scoring.changes.partitions),
    )
    evaluation = Evaluation(
        changes, rules, executions, FakeInsights(), SandboxedTemplates(), SENDER, FakeDeliveryQueue(), scoring.clock
    )
    while await evaluation.step(range(PARTITIONS), 500):
        pass


async def run_services(database: Database, journal: Journal) -> None:
    """Runs every kind of work of the services: ingest, score, decay, correct, publish, automate."""
    await schema.migrate(database, partitions=PARTITIONS, time_zone="UTC", engine=ENGINE, now=days_ago(100))
    events = Inbox(database, EVENTS, partitions=PARTITIONS)
    changes = Inbox(database, CHANGES, partitions=PARTITIONS)
    await events.migrate()
    await changes.migrate()
    await automation_schema.migrate(database, partitions=PARTITIONS)
    for each in RULES:
        await MongoRules(database, KEYS).create(each)
    scoring = Scoring(database, events, changes)
    numbers = itertools.count()
    # Each event is accepted 1 ms after the one before, so they are scored in the order in which they arrived.
    ingest = MongoEventStore(events, lambda: scoring.now + timedelta(milliseconds=next(numbers)))
    sent = make_events()
    journal.sent |= {event.event_id: event for event in sent}
    for day, start in enumerate(range(0, len(sent), 20)):
        scoring.now = NOW + timedelta(days=day)
        for event in sent[start : start + 20]:
            await ingest.put([stored_as(event)])
        await drain(scoring)
        if day == 0:
            await scoring.run_decay(NOW - timedelta(days=3))
            model = yaml_text.read_yaml((ROOT / "docs/examples/b2b.yaml").read_text(), scoring_pb2.ScoringModel)
            await scoring.publish(model_codec.read_model(model, 0), Mode.RESCORE)
            await scoring.rollout.step()
    await scoring.corrections.adjust(AdjustmentRequest("r1", "ada", 5, None, "why", "me"))
    await scoring.corrections.retract("e5", "why", "me")
    # b2b.yaml has negative scores decay, too: several ticks raise this one.
    await scoring.corrections.adjust(AdjustmentRequest("r2", "bob", None, -30, "why", "me"))
    scoring.now += timedelta(days=15)
    await scoring.run_decay(scoring.now)
    await drain(scoring)
    await erase_eve(scoring, ingest, journal)


async def erase_eve(scoring: Scoring, ingest: MongoEventStore, journal: Journal) -> None:
    """Scores some events of a lead, for whom a rule fires, and erases the lead."""
    scoring.now = wire.now()  # the ids of rows of changes have the real time, too
    for number in range(3):
        event = ingest_pb2.Event(event_id=f"eve-{number}", lead_id=EVE, event_type="demo_request", source="website")
        event.event_time.CopyFrom(wire.to_timestamp(scoring.now - timedelta(days=number)))
        journal.sent[event.event_id] = event
        await ingest.put([stored_as(event)])
    await drain(scoring)
    await admin_schema.migrate(scoring.database)
    clock = Clock(scoring.now)
    erasing = (await new_privacy(scoring.database, scoring, clock)).erasing
    journal.erased[EVE] = await scoring.database["score_history"].count_documents({"lead_id": EVE})
    await erasing.erase(EVE, "forget eve", "me")
    clock.now += timedelta(minutes=1)
    await erasing.settle()


def stored_as(event: ingest_pb2.Event) -> Event:
    """Returns an event as the ingest service reads it."""
    time, properties = wire.to_time(event.event_time), wire.to_dict(event.properties)
    return Event(event.event_id, event.lead_id, event.event_type, time, properties, event.source)


async def make_correct(uri: str) -> Snapshot:
    """Returns a correct snapshot in which everything is delivered."""
    database = await mongo.connect(uri)
    try:
        journal = Journal()
        await run_services(database, journal)
        names = await database.list_collection_names()
        collections = {name: await database[name].find().to_list() for name in names}
        await database.client.drop_database(database.name)
    finally:
        await database.client.close()
    journal.acknowledged = set(journal.sent)
    for execution in collections["automation_executions"]:
        if execution["lead_id"].startswith("erased-"):
            continue
        for delivery in execution["deliveries"]:
            journal.requests.append(Request(delivery["delivery_id"], delivery["body"], True, 200))
            delivery["state"] = execution["state"] = "delivered"
    journal.requests.insert(1, Request("of eve", b'{"data": {"lead": {"lead_id": "eve@example.com"}}}', True, 200))
    journal.shown = {
        (each["lead_id"], each["sequence"]): {name: each[name] for name in ("_id", "score_after", "record_time")}
        for each in collections["score_history"]
    }
    journal.calls = [FinishedCall("IngestEvent", grpc.StatusCode.OK, 0.1, 1.0, under_fault=False)]
    journal.bystanders = [Bystander("near", "visible", seconds=0.1, allowed=2.0, during="heavy")]
    journal.health = [Health("scoring", seconds=0.01, is_serving=True, during="heavy")]
    look, age = NOW, timedelta(seconds=30)
    journal.backlogs = [
        Backlog("event", "e0", look - 2 * age, look - 2 * age, look, age),
        Backlog("event", "e0", look - age / 2, None, look, age),  # too young: it need not be reported yet
    ]
    return Snapshot(collections, journal)


def database_uri_of(uri: str) -> str:
    """Returns the URI of a new database."""
    return uri.replace("/leadscore?", f"/test_{uuid.uuid4().hex[:12]}?")
