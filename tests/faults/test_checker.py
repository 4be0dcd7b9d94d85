"""The checker is proved: it finds nothing in a correct database, and each single corruption of one.

The correct database is made by the services' own code, in this process; each corruption is written into a copy that has
no index at all, as after somebody dropped them.
"""

import ast
import asyncio
import copy
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase

from automation_service import store as automation_store
from automation_service.domain.condition import Conditions
from automation_service.domain.rule import Rule
from automation_service.domain.trigger import EventReceived, StageEntered
from automation_service.store import MongoChanges, MongoExecutions, MongoRules
from automation_service.templates import SandboxedTemplates
from automation_service.usecases import Evaluation
from ingest_service.domain.event import Event
from ingest_service.store import MongoEventStore
from scoring_service import model_messages, store
from scoring_service.domain.timeline import Mode
from scoring_service.usecases.corrections import AdjustmentRequest
from shared import mongo, wire, yamls
from shared.inbox import Inbox
from shared.mongo import Database
from shared.pb.ingest.v1 import ingest_pb2
from shared.pb.scoring.v1 import scoring_pb2
from tests.automation.fakes import SENDER, FakeInsights, rule, webhook
from tests.conftest import PARTITIONS, ROOT
from tests.faults import rows
from tests.faults.checker import Checker, Unsupported, Violation
from tests.faults.journal import Journal, Request, Seen
from tests.faults.rows import Document
from tests.scoring.conftest import NOW, Scoring, days_ago

CHECKER = (
    *("checker", "conditions", "firing", "history", "journal"),
    *("outside", "payload", "replay", "rows", "stuck", "violation"),
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


@dataclass
class World:
    """Collections by name, and what the outside saw of them."""

    collections: dict[str, list[Document]]
    journal: Journal

    def of(self, collection: str, **fields: Any) -> Document:
        """Returns the first row with these fields."""
        return next(
            row for row in self.collections[collection] if all(row.get(name) == value for name, value in fields.items())
        )

    def entry(self, sequence: int = 2) -> Document:
        """Returns an entry of the lead that most corruptions are of."""
        return self.of("score_history", lead_id="ada", sequence=sequence)

    def drop(self, collection: str, row: Document) -> None:
        """Removes a row."""
        self.collections[collection].remove(row)

    def add(self, collection: str, row: Document, **fields: Any) -> None:
        """Adds a copy of a row with other fields."""
        self.collections[collection].append(copy.deepcopy(row) | fields)


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
        changes, rules, executions, FakeInsights(), SandboxedTemplates(), SENDER, lambda: None, scoring.clock
    )
    while await evaluation.step(range(PARTITIONS), 500):
        pass


async def lived(database: Database, journal: Journal) -> None:
    """Lets the services do all that they do: ingest, score, decay, correct, publish, automate."""
    await store.migrate(database, partitions=PARTITIONS, time_zone="Europe/Vienna", now=days_ago(100))
    events = Inbox(database, store.EVENTS, done=store.SCORED, partitions=PARTITIONS)
    changes = Inbox(database, store.CHANGES, done=store.DONE, partitions=PARTITIONS)
    await events.migrate()
    await changes.migrate()
    await mongo.create_indexes(database, automation_store.INDEXES)
    for each in RULES:
        await MongoRules(database).create(each)
    scoring = Scoring(database, events, changes)
    ingest = MongoEventStore(events, scoring.clock)
    sent = made_events()
    journal.sent |= {event.event_id: event for event in sent}
    for day, start in enumerate(range(0, len(sent), 20)):
        scoring.now = NOW + timedelta(days=day)
        await ingest.put([stored_as(event) for event in sent[start : start + 20]])
        await drain(scoring)
        if day == 0:
            await scoring.run_decay(NOW - timedelta(days=3))
            model = yamls.read_yaml((ROOT / "docs/examples/b2b.yaml").read_text(), scoring_pb2.ScoringModel)
            await scoring.publish(model_messages.read_model(model, 0), Mode.RESCORE)
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
    journal.shown = {(each["lead_id"], each["sequence"]): each["score_after"] for each in collections["score_history"]}
    journal.calls = [Seen("IngestEvent", grpc.StatusCode.OK, 0.1, 1.0, under_fault=False)]
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


Corruption = Callable[[World], str]
"""Corrupts a world in one place, and returns the id that a violation must name."""


def an_acknowledged_event_is_lost(world: World) -> str:
    world.drop("events", world.of("events", _id="e0"))
    world.drop("score_history", world.of("score_history", _id="e0"))
    return "'e0'"


def an_event_was_never_sent(world: World) -> str:
    del world.journal.sent["e0"]
    return "'e0'"


def an_event_has_another_payload(world: World) -> str:
    world.of("events", _id="e4")["source"] = "elsewhere"
    return "'e4'"


def a_true_has_become_a_one(world: World) -> str:
    world.journal.sent["e4"].properties["phone"] = True
    world.of("events", _id="e4")["properties"]["phone"] = 1.0
    world.of("score_history", _id="e4")["properties"]["phone"] = 1.0
    return "'e4'"


def a_refused_payload_changed_the_event(world: World) -> str:
    world.journal.acknowledged.remove("e4")
    world.journal.refused.add("e4")
    return an_event_has_another_payload(world)


def a_conflict_was_accepted(world: World) -> str:
    world.journal.wrongly_accepted.append("event 'e4' with another payload was called DUPLICATE")
    return "'e4'"


def an_ok_for_nothing(world: World) -> str:
    world.journal.wrongly_accepted.append("event 'e4' was answered OK without an outcome (I15)")
    return "'e4'"


def an_entry_is_missing(world: World) -> str:
    entry = world.entry()
    world.drop("score_history", entry)
    return repr(entry["_id"])


def the_last_entry_is_taken_back_whole(world: World) -> str:
    last = max(sequence for lead_id, sequence in world.journal.shown if lead_id == "ada")
    world.drop("score_history", world.entry(last))
    return f"entry {last} of lead 'ada'"


def an_entry_is_doubled_under_another_id(world: World) -> str:
    entry = world.of("score_history", kind="EVENT", lead_id="ada")
    world.add("score_history", entry, _id="another")
    return "'another'"


def an_entry_is_doubled_at_the_end(world: World) -> str:
    """Everything adds up: only the id and the replay tell."""
    last = world.entry(max(sequence for lead_id, sequence in world.journal.shown if lead_id == "ada"))
    first = world.of("score_history", kind="EVENT", lead_id="ada")
    same = dict.fromkeys(("score_before", "score_after"), last["score_after"])
    same |= dict.fromkeys(("stage_before", "stage_after"), last["stage_after"])
    sequence = last["sequence"] + 1
    world.add("score_history", first, _id="another", sequence=sequence, delta=0, **same)
    lead = world.of("leads", _id="ada")
    lead["sequence"], lead["event_count"] = sequence, lead["event_count"] + 1
    scores = {"scores": [last["score_after"]], "stages": [last["stage_after"]], **same}
    change = world.of("score_changes", lead_id="ada", sequence=last["sequence"])
    told = {"sequence": sequence, "event_types": [first["event_type"]], "record_time": first["record_time"]}
    world.add("score_changes", change, _id=f"ada:{sequence}", date_bucket="2026-03-20", **told, **scores)
    return "'another'"


def a_tick_is_doubled_under_another_id(world: World) -> str:
    tick = world.of("score_history", kind="DECAY")
    world.add("score_history", tick, _id=f"{tick['_id']}:again", sequence=10_000)
    return f"'{tick['_id']}:again'"


def two_entries_share_a_sequence(world: World) -> str:
    world.entry(3)["sequence"] = 2
    return "'ada'"


def a_sequence_is_skipped(world: World) -> str:
    last = max(sequence for lead_id, sequence in world.journal.shown if lead_id == "ada")
    world.entry(last)["sequence"] = last + 1
    return "'ada'"


def a_delta_is_changed(world: World) -> str:
    entry = world.entry()
    entry["delta"] += 1
    return repr(entry["_id"])


def points_are_changed(world: World) -> str:
    entry = world.of("score_history", kind="EVENT", lead_id="ada")
    entry["points"] += 1
    return repr(entry["_id"])


def a_stage_is_changed(world: World) -> str:
    entry = world.entry()
    entry["stage_after"] = "lukewarm"
    return repr(entry["_id"])


def a_score_is_changed(world: World) -> str:
    world.of("leads", _id="ada")["score"] += 1
    return "'ada'"


def a_score_and_its_whole_history_are_changed(world: World) -> str:
    """The history is consistent in itself; only the replay tells, and what automation was told."""
    last = world.entry(max(sequence for lead_id, sequence in world.journal.shown if lead_id == "ada"))
    lead = world.of("leads", _id="ada")
    change = world.of("score_changes", lead_id="ada", sequence=last["sequence"])
    last["delta"] += 1
    for row, field in ((last, "score_after"), (lead, "score"), (change, "score_after")):
        row[field] += 1
    change["scores"][-1] += 1
    world.journal.shown["ada", last["sequence"]] += 1
    return "'ada'"


def a_count_is_changed(world: World) -> str:
    world.of("leads", _id="ada")["event_count"] += 1
    return "'ada'"


def a_last_event_time_is_changed(world: World) -> str:
    world.of("leads", _id="ada")["last_event_time"] += timedelta(milliseconds=1)
    return "'ada'"


def a_lead_is_lost(world: World) -> str:
    world.drop("leads", world.of("leads", _id="ada"))
    return "'ada'"


def decay_left_a_lead_out(world: World) -> str:
    for partition in world.collections["scoring_partitions"]:
        partition["through"] = "2026-06-01"
    return "'ada'"


def an_unscored_event_is_marked_scored(world: World) -> str:
    event = made_events()[0]
    world.journal.sent["unscored"] = ingest_pb2.Event()
    world.journal.sent["unscored"].CopyFrom(event)
    world.add("events", world.of("events", _id="e0"), _id="unscored")
    return "'unscored'"


def a_scored_event_is_marked_pending(world: World) -> str:
    world.of("events", _id="e4")["state"] = "pending"
    return "'e4'"


def a_scored_event_is_marked_parked(world: World) -> str:
    world.of("events", _id="e4")["state"] = "parked"
    return "'e4'"


def a_change_is_not_told(world: World) -> str:
    change = world.of("score_changes", lead_id="bob")
    world.drop("score_changes", change)
    world.collections["automation_executions"] = [
        each
        for each in world.collections["automation_executions"]
        if (each["lead_id"], each["change_sequence"]) != ("bob", change["sequence"])
    ]
    kept = {
        delivery["delivery_id"]
        for each in world.collections["automation_executions"]
        for delivery in each["deliveries"]
    }
    world.journal.requests = [each for each in world.journal.requests if each.delivery_id in kept]
    return "'bob:"


def a_change_tells_another_way(world: World) -> str:
    change = world.of("score_changes", lead_id="bob")
    change["scores"].insert(1, 9_999)
    return repr(change["_id"])


def a_change_waits(world: World) -> str:
    change = world.of("score_changes", lead_id="bob")
    change["state"] = "pending"
    return repr(change["_id"])


def a_change_is_parked(world: World) -> str:
    change = world.of("score_changes", lead_id="bob")
    change["state"] = "parked"
    return repr(change["_id"])


def a_change_has_an_unknown_state(world: World) -> str:
    change = world.of("score_changes", lead_id="bob")
    change["state"] = "half done"
    return repr(change["_id"])


def a_change_has_another_date(world: World) -> str:
    """A change that fired nothing, so that no execution tells of it."""
    taken = {(each["lead_id"], each["change_sequence"]) for each in world.collections["automation_executions"]}
    change = next(
        each
        for each in world.collections["score_changes"]
        if (each["lead_id"], each["sequence"]) not in taken and each["stage_after"] == "cold"
    )
    change["date_bucket"] = "2026-01-01"
    return repr(change["_id"])


def an_execution_is_missing(world: World) -> str:
    execution = world.of("automation_executions", rule_id="entered")
    world.drop("automation_executions", execution)
    return f"'{execution['lead_id']}:{execution['change_sequence']}'"


def an_execution_is_doubled(world: World) -> str:
    execution = world.of("automation_executions", rule_id="entered")
    world.add("automation_executions", execution, _id="another")
    return repr(execution["lead_id"])


def an_execution_has_another_date(world: World) -> str:
    execution = world.of("automation_executions", rule_id="entered")
    execution["date_bucket"] = "2026-04-09"
    return repr(execution["_id"])


def an_execution_has_no_change(world: World) -> str:
    execution = world.of("automation_executions", rule_id="entered")
    world.add("automation_executions", execution, _id="another", change_sequence=10_000, date_bucket="2026-04-09")
    return "'another'"


def an_execution_is_of_no_firing(world: World) -> str:
    change = world.of("score_changes", stage_after="cold")
    same = {"lead_id": change["lead_id"], "change_sequence": change["sequence"], "score": change["score_after"]}
    same |= {name: change[name] for name in ("date_bucket", "stage_before", "stage_after")}
    world.add("automation_executions", world.of("automation_executions", rule_id="entered"), _id="another", **same)
    return "'another'"


def an_execution_waits(world: World) -> str:
    execution = world.of("automation_executions", rule_id="while")
    execution["state"] = execution["deliveries"][0]["state"] = "pending"
    return repr(execution["_id"])


def a_delivery_was_never_seen(world: World) -> str:
    return repr(world.journal.requests.pop().delivery_id)


def a_request_has_another_body(world: World) -> str:
    request = world.journal.requests[0]
    world.journal.requests.append(replace(request, body=request.body + b" "))
    return repr(request.delivery_id)


def a_request_is_unsigned(world: World) -> str:
    request = world.journal.requests[0]
    world.journal.requests.append(replace(request, is_signed_well=False))
    return repr(request.delivery_id)


def a_request_is_of_no_execution(world: World) -> str:
    world.journal.requests.append(Request("nobody", b"{}", is_signed_well=True, answered=200))
    return "'nobody'"


def what_was_shown_is_gone(world: World) -> str:
    world.journal.shown["ada", 10_000] = 1
    return "entry 10000 of lead 'ada'"


def what_was_shown_is_another_score(world: World) -> str:
    world.journal.shown["ada", 1] += 1
    return "entry 1 of lead 'ada'"


def a_call_ended_with_internal(world: World) -> str:
    world.journal.calls.append(Seen("IngestEvent", grpc.StatusCode.INTERNAL, 0.1, 1.0, under_fault=True))
    return "INTERNAL"


def a_call_outlasted_its_deadline(world: World) -> str:
    world.journal.calls.append(Seen("GetLeadScore", grpc.StatusCode.DEADLINE_EXCEEDED, 1.6, 1.0, under_fault=True))
    return "GetLeadScore"


def a_publication_is_not_rolled_out(world: World) -> str:
    world.of("model_publications", _id=2)["rolled_out"] = False
    return "publication 2"


CORRUPTIONS: list[tuple[Corruption, set[str]]] = [
    (an_acknowledged_event_is_lost, {"I1", "I5", "I6", "I7", "I10"}),
    (an_event_was_never_sent, {"I2"}),
    (an_event_has_another_payload, {"I1"}),
    (a_true_has_become_a_one, {"I1"}),
    (a_refused_payload_changed_the_event, {"I11"}),
    (a_conflict_was_accepted, {"I11"}),
    (an_ok_for_nothing, {"I15"}),
    (an_entry_is_missing, {"I3", "I5", "I6", "I7", "I10"}),
    (the_last_entry_is_taken_back_whole, {"I5", "I6", "I10"}),
    (an_entry_is_doubled_under_another_id, {"I3", "I4", "I5", "I6", "I7"}),
    (an_entry_is_doubled_at_the_end, {"I3", "I4", "I6", "I7"}),
    (a_tick_is_doubled_under_another_id, {"I4", "I5", "I6"}),
    (two_entries_share_a_sequence, {"I5", "I6", "I10"}),
    (a_sequence_is_skipped, {"I5", "I6", "I10"}),
    (a_delta_is_changed, {"I5"}),
    (points_are_changed, {"I7"}),
    (a_stage_is_changed, {"I5", "I6"}),
    (a_score_is_changed, {"I5", "I7"}),
    (a_score_and_its_whole_history_are_changed, {"I7", "I8"}),
    (a_count_is_changed, {"I6", "I7"}),
    (a_last_event_time_is_changed, {"I7"}),
    (a_lead_is_lost, {"I5", "I6"}),
    (decay_left_a_lead_out, {"I12"}),
    (an_unscored_event_is_marked_scored, {"I3", "I6", "I7"}),
    (a_scored_event_is_marked_pending, {"I6", "I7", "I13"}),
    (a_scored_event_is_marked_parked, {"I6", "I7", "I13"}),
    (a_change_is_not_told, {"I6"}),
    (a_change_tells_another_way, {"I6"}),
    (a_change_waits, {"I13"}),
    (a_change_is_parked, {"I13"}),
    (a_change_has_an_unknown_state, {"I13"}),
    (a_change_has_another_date, {"I8"}),
    (an_execution_is_missing, {"I8"}),
    (an_execution_is_doubled, {"I8"}),
    (an_execution_has_another_date, {"I8"}),
    (an_execution_has_no_change, {"I8"}),
    (an_execution_is_of_no_firing, {"I8"}),
    (an_execution_waits, {"I13"}),
    (a_delivery_was_never_seen, {"I9"}),
    (a_request_has_another_body, {"I9"}),
    (a_request_is_unsigned, {"I9"}),
    (a_request_is_of_no_execution, {"I9"}),
    (what_was_shown_is_gone, {"I10"}),
    (what_was_shown_is_another_score, {"I10"}),
    (a_call_ended_with_internal, {"I15"}),
    (a_call_outlasted_its_deadline, {"I15"}),
    (a_publication_is_not_rolled_out, {"I13"}),
]


def invariants(found: list[Violation]) -> set[str]:
    return {each.invariant for each in found}


async def test_a_correct_world_has_everything_and_no_violation(uri: str, correct: World) -> None:
    kinds = {each["kind"] for each in correct.collections["score_history"]}
    assert kinds == {"EVENT", "DECAY", "MODEL", "ADJUSTMENT", "RETRACTION"}
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
        tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text())
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        for module in imported:
            assert not module.startswith(("scoring_service", "automation_service", "ingest_service"))
            assert not module.startswith(("intelligence_service", "cli"))
            assert module.startswith(("shared.pb.", "tests.faults")) or module.split(".")[0] not in ("shared", "tests")
