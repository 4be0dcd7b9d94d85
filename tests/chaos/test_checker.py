"""The checker is proved: it finds nothing in a correct database, and each single corruption of one.

The correct database is made by the services' own code, in this process; each corruption is written into a copy that has
no index at all, as after somebody dropped them.
"""

import ast
import asyncio
import copy
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest
from leadscore.ingest.v1 import ingest_pb2
from leadscore.scoring.v1 import scoring_pb2
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase

from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.condition import Conditions
from automation_service.domain.rule import Rule
from automation_service.domain.trigger import EventReceived, StageEntered
from automation_service.store import schema as automation_schema
from automation_service.store.changes import MongoChanges
from automation_service.store.executions import MongoExecutions
from automation_service.store.rules import MongoRules
from automation_service.usecases.evaluation import Evaluation
from chaos import rows, stuck
from chaos.checker import Checker, Unsupported, Violation
from chaos.corruptions import (
    CORRUPTIONS,
    Corruption,
    World,
    a_change_is_parked,
    an_execution_waits,
    an_unscored_event_is_marked_scored,
)
from chaos.journal import Backlog, Bystander, Health, Journal, Request, Seen
from chaos.rows import Document
from ingest_service.domain.event import Event
from ingest_service.store import MongoEventStore
from scoring_service import model_codec, store
from scoring_service.domain.timeline import Mode
from scoring_service.usecases.corrections import AdjustmentRequest
from shared import mongo, wire
from shared.inbox.collection import Inbox
from shared.message_files import yaml_text
from shared.mongo import Database
from tests.automation.fakes import SENDER, FakeDeliveryQueue, FakeInsights, rule, webhook
from tests.conftest import PARTITIONS, ROOT
from tests.scoring.conftest import ENGINE, NOW, Scoring, days_ago

CHECKER = (
    *("checker", "conditions", "firing", "history", "journal"),
    *("outside", "payload", "replay", "rows", "stuck", "violation", "waiting"),
)
IN_SNAPSHOTS = {"I2", "I4", "I5", "I6", "I8"}
NOT_YET = {"an_execution_is_missing"}
"""What may still come while a snapshot is read, and so is no violation of it."""
LEADS = ("ada", "bob", "cyd", "dan")
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


def made_events() -> list[ingest_pb2.Event]:
    """Returns seeded events of a month, in no order of time, so that many are late."""
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
    rules, executions = MongoRules(scoring.database), MongoExecutions(scoring.database)
    evaluation = Evaluation(
        changes, rules, executions, FakeInsights(), SandboxedTemplates(), SENDER, FakeDeliveryQueue(), scoring.clock
    )
    while await evaluation.step(range(PARTITIONS), 500):
        pass


async def lived(database: Database, journal: Journal) -> None:
    """Lets the services do all that they do: ingest, score, decay, correct, publish, automate."""
    await store.migrate(database, partitions=PARTITIONS, time_zone="UTC", engine=ENGINE, now=days_ago(100))
    events = Inbox(database, store.EVENTS, done=store.SCORED, partitions=PARTITIONS)
    changes = Inbox(database, store.CHANGES, done=store.DONE, partitions=PARTITIONS)
    await events.migrate()
    await changes.migrate()
    await automation_schema.migrate(database, partitions=PARTITIONS)
    for each in RULES:
        await MongoRules(database).create(each)
    scoring = Scoring(database, events, changes)
    numbers = itertools.count()
    # Each event is accepted a little later than the one before, and so they are scored in the order in which they came.
    ingest = MongoEventStore(events, lambda: scoring.now + timedelta(milliseconds=next(numbers)))
    sent = made_events()
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
    scoring.now += timedelta(days=9)
    await scoring.run_decay(scoring.now)
    await drain(scoring)


def stored_as(event: ingest_pb2.Event) -> Event:
    """Returns an event as the ingest service understands it."""
    time, properties = wire.to_time(event.event_time), wire.to_dict(event.properties)
    return Event(event.event_id, event.lead_id, event.event_type, time, properties, event.source)


async def made(uri: str) -> World:
    """Returns a correct world in which everything is delivered."""
    database = await mongo.connect(uri)
    try:
        journal = Journal()
        await lived(database, journal)
        names = await database.list_collection_names()
        collections = {name: await database[name].find().to_list() for name in names}
        await database.client.drop_database(database.name)
    finally:
        await database.client.close()
    journal.acknowledged = set(journal.sent)
    for execution in collections["automation_executions"]:
        for delivery in execution["deliveries"]:
            journal.requests.append(Request(delivery["delivery_id"], delivery["body"], True, 200))
            delivery["state"] = execution["state"] = "delivered"
    journal.shown = {
        (each["lead_id"], each["sequence"]): {name: each[name] for name in ("_id", "score_after", "record_time")}
        for each in collections["score_history"]
    }
    journal.calls = [Seen("IngestEvent", grpc.StatusCode.OK, 0.1, 1.0, under_fault=False)]
    journal.bystanders = [Bystander("near", "visible", seconds=0.1, allowed=2.0, during="heavy")]
    journal.health = [Health("scoring", seconds=0.01, is_serving=True, during="heavy")]
    look, age = NOW, timedelta(seconds=30)
    journal.backlogs = [
        Backlog("event", "e0", look - 2 * age, look - 2 * age, look, age),
        Backlog("event", "e0", look - age / 2, None, look, age),  # one that is too young to have to be shown
    ]
    return World(collections, journal)


@pytest.fixture(scope="module")
def correct(mongo_uri: str) -> World:
    """A correct world, made once; to be copied before it is changed."""
    return asyncio.run(made(database_uri_of(mongo_uri)))


@pytest.fixture(scope="module")
def uri(mongo_uri: str, correct: World) -> Iterator[str]:
    """The URI of a database that holds the correct world, without any index."""
    uri = database_uri_of(mongo_uri)
    with MongoClient[Document](uri) as client:
        database = client.get_default_database()
        for name, documents in correct.collections.items():
            if documents:
                database[name].insert_many(documents)
        yield uri
        client.drop_database(database)


def database_uri_of(uri: str) -> str:
    """Returns the URI of a new database."""
    return uri.replace("/leadscore?", f"/test_{uuid.uuid4().hex[:12]}?")


def write(database: SyncDatabase[Document], world: World, instead_of: World) -> None:
    """Replaces the collections that differ between two worlds."""
    for name, documents in world.collections.items():
        if documents != instead_of.collections[name]:
            database[name].delete_many({})
            if documents:
                database[name].insert_many(documents)


@asynccontextmanager
async def checking(uri: str, correct: World, world: World, *, is_live: bool = True) -> AsyncIterator[Checker]:
    """Writes a world in the place of the correct one, and gives a checker of it; then the correct one is back."""
    with MongoClient[Document](uri) as client:
        database = client.get_default_database()
        write(database, world, correct)
        checker = Checker(uri, world.journal, has_live_receiver=is_live)
        try:
            yield checker
        finally:
            await checker.close()
            write(database, correct, world)


def invariants(found: list[Violation]) -> set[str]:
    return {each.invariant for each in found}


@pytest.fixture(autouse=True)
def _indexes_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copies of the database have none, so that doubles can be tried; and a busy machine reads them slowly."""

    async def unique_keys(database: object) -> set[tuple[str, ...]]:
        return rows.UNIQUE

    monkeypatch.setattr(rows, "unique_keys", unique_keys)
    monkeypatch.setattr("chaos.checker.SNAPSHOT_SECONDS", 60.0)


def test_a_unique_index_that_is_gone_is_noticed() -> None:
    assert not list(stuck.indexes(rows.UNIQUE))
    assert [each.what for each in stuck.indexes({("score_history", "lead_id", "sequence")})] == [
        "automation_executions has no unique index on lead_id, rule_id, date_bucket"
    ]


async def test_a_correct_world_has_everything_and_no_violation(uri: str, correct: World) -> None:
    kinds = {each["kind"] for each in correct.collections["score_history"]}
    assert kinds == {"EVENT", "DECAY", "MODEL", "ADJUSTMENT", "RETRACTION", "RECALCULATION"}
    assert {each["rule_id"] for each in correct.collections["automation_executions"]} == {
        "while",
        "entered",
        "received",
    }
    async with checking(uri, correct, correct) as checker:
        assert await checker.quiesced() == []
        assert await checker.snapshot() == []


@pytest.mark.parametrize(("corrupt", "expected"), CORRUPTIONS, ids=[each.__name__ for each, _ in CORRUPTIONS])
async def test_a_corruption_is_found(corrupt: Corruption, expected: set[str], uri: str, correct: World) -> None:
    world = copy.deepcopy(correct)
    named = corrupt(world)
    async with checking(uri, correct, world) as checker:
        found, seen_live = await checker.quiesced(), await checker.snapshot()
    assert invariants(found) == expected, found
    assert any(named in each.what for each in found), found
    assert invariants(seen_live) == (set() if corrupt.__name__ in NOT_YET else expected & IN_SNAPSHOTS)
    assert all(len(each.what) <= 300 for each in found)


async def test_what_is_expected_to_be_parked_is_no_violation(uri: str, correct: World) -> None:
    world = copy.deepcopy(correct)
    an_unscored_event_is_marked_scored(world)
    world.of("events", _id="unscored")["state"] = "parked"
    world.journal.parked = {"unscored", a_change_is_parked(world).strip("'")}
    async with checking(uri, correct, world) as checker:
        assert await checker.quiesced() == []


async def test_what_was_discarded_is_no_violation_and_what_nobody_discarded_is(uri: str, correct: World) -> None:
    world = copy.deepcopy(correct)
    an_unscored_event_is_marked_scored(world)
    world.of("events", _id="unscored")["state"] = "discarded"
    change = a_change_is_parked(world).strip("'")
    world.of("score_changes", _id=change)["state"] = "discarded"
    world.journal.discarded = {"unscored", change}
    async with checking(uri, correct, world) as checker:
        assert await checker.quiesced() == []
    world.journal.discarded = set()
    async with checking(uri, correct, world) as checker:
        found = await checker.quiesced()
    assert {"I3", "I13"} <= invariants(found)
    assert {each.what for each in found if each.invariant == "I13"} == {
        "event 'unscored' is discarded, and nobody asked for that",
        f"change {change!r} is discarded, and nobody asked for that",
    }


async def test_without_a_live_receiver_executions_may_wait(uri: str, correct: World) -> None:
    world = copy.deepcopy(correct)
    an_execution_waits(world)
    world.journal.requests.clear()
    async with checking(uri, correct, world, is_live=False) as checker:
        assert await checker.quiesced() == []


async def test_an_open_transaction_is_found(uri: str, correct: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "OLD_MICROSECONDS", 0)
    async with checking(uri, correct, correct) as checker:
        other = await mongo.connect(uri)
        async with other.client.start_session() as session, await session.start_transaction():
            await other["events"].find_one({}, session=session)
            assert invariants(await checker.quiesced()) == {"I13"}
        await other.client.close()


@pytest.mark.parametrize("part", ["trigger", "conditions", "cool_down_days"])
async def test_what_the_checker_does_not_know_is_no_silent_pass(part: str, uri: str, correct: World) -> None:
    world = copy.deepcopy(correct)
    other = {"trigger": {"kind": "inactive", "days": 3}, "conditions": {"risk": "low"}, "cool_down_days": 7}
    world.of("automation_rules", _id="entered")[part] = other[part]
    async with checking(uri, correct, world) as checker:
        with pytest.raises(Unsupported, match="entered"):
            await checker.quiesced()


async def test_a_model_that_uses_more_is_no_silent_pass(uri: str, correct: World) -> None:
    world = copy.deepcopy(correct)
    world.of("scoring_models", _id=2)["model"]["rules"][0]["expires"] = "7d"
    async with checking(uri, correct, world) as checker:
        with pytest.raises(Unsupported, match="a rule with expires"):
            await checker.quiesced()


async def test_of_a_broken_system_only_so_much_is_told(uri: str, correct: World) -> None:
    world = copy.deepcopy(correct)
    world.journal.sent.clear()
    world.journal.acknowledged.clear()
    async with checking(uri, correct, world) as checker:
        assert [each.invariant for each in await checker.quiesced()] == ["I2"] * 20


def test_the_checker_shares_no_code_with_what_it_checks() -> None:
    for name in CHECKER:
        tree = ast.parse((ROOT / f"chaos/{name}.py").read_text())
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        for module in imported:
            assert not module.startswith(("scoring_service", "automation_service", "ingest_service"))
            assert not module.startswith(("intelligence_service", "cli"))
            assert module.startswith(("leadscore.", "chaos")) or module.split(".")[0] not in ("shared", "tests")
