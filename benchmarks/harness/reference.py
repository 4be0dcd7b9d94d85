"""The reference: plain synchronous pymongo writes what the pipeline writes, and does nothing else.

Events, history, leads and changes, journaled on a majority, in one transaction per 500 events. A fold of three lines,
no late events, no leases, no gRPC, no Redis. Two processes insert; when they are done, two processes score.
"""

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import IndexModel, MongoClient, ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from benchmarks.harness.clients import Clients, Ready, seconds
from benchmarks.harness.load import Event, Funnel, Load
from shared import wire

Document = dict[str, Any]

NAME = "plain pymongo"
DATABASE = "reference"
PROCESSES = 2
PARTITIONS, GROUP, BATCH = 64, 8, 500
POINTS = 5
MAX_SCORE = 10_000
MAJORITY = WriteConcern("majority", j=True)

_PENDING = IndexModel(
    [("state", 1), ("partition", 1), ("accept_time", 1)], partialFilterExpression={"state": "pending"}
)
_INDEXES = {
    "events": [_PENDING],
    "changes": [_PENDING],
    "history": [IndexModel([("lead_id", 1), ("sequence", 1)], unique=True)],
    "leads": [
        IndexModel([("score", -1), ("_id", 1)]),
        IndexModel([("last_event_time", -1), ("_id", 1)]),
        IndexModel([("partition", 1), ("last_event_time", 1)]),
    ],
}


def prepare(uri: str) -> None:
    """Creates the collections of the reference anew, empty."""
    with MongoClient[Document](uri) as client:
        client.drop_database(DATABASE)
        database = client[DATABASE]
        for name, indexes in _INDEXES.items():
            database[name].create_indexes(indexes)
        database["partitions"].insert_many({"_id": number, "transactions": 0} for number in range(PARTITIONS))


def pipeline(clients: Clients, uri: str, load: Load | Funnel) -> float:
    """Returns the seconds to insert the events of a load and to score them, one after the other."""
    inserted = clients.run(insert_events, PROCESSES, uri, load)
    return seconds(inserted) + seconds(clients.run(score_events, PROCESSES, uri))


def insert_events(ready: Ready, number: int, count: int, uri: str, load: Load | Funnel) -> None:
    """Inserts a part of a load in batches."""
    rows = [event_row(event) for event in load.part(number, count)]
    with MongoClient[Document](uri) as client:
        events = client[DATABASE].get_collection("events", write_concern=MAJORITY)
        client.admin.command("ping")
        ready()
        for start in range(0, len(rows), BATCH):
            events.insert_many(rows[start : start + BATCH], ordered=False)


def score_events(ready: Ready, number: int, count: int, uri: str) -> int:
    """Scores the pending events of a part of the partitions, and marks the changes; returns the number of events."""
    with MongoClient[Document](uri, tz_aware=True) as client:
        database, scored = client[DATABASE], 0
        mine = range(number, PARTITIONS, count)
        ready()
        for start in range(0, len(mine), GROUP):
            scored += drain(database, mine[start : start + GROUP])
    return scored


@dataclass(frozen=True, slots=True)
class Singly:
    """For each single event, the seconds from its acknowledgement to its commit; the CPU seconds of the process."""

    waits: Sequence[float]
    cpu_seconds: float


def single_events(ready: Ready, number: int, count: int, uri: str, load: Load, rate: float) -> Singly:
    """Inserts single events at a fixed rate and scores each at once, in a transaction of its own."""
    rows, waits = [event_row(event) for event in load.part(number, count)], list[float]()
    with MongoClient[Document](uri, tz_aware=True) as client:
        database = client[DATABASE]
        events = database.get_collection("events", write_concern=MAJORITY)
        client.admin.command("ping")
        ready()
        began, used = time.monotonic(), time.process_time()
        for index, row in enumerate(rows):
            time.sleep(max(0.0, began + index / rate - time.monotonic()))
            events.insert_one(row)
            acknowledged = time.monotonic()
            drain(database, [row["partition"]])
            waits.append(time.monotonic() - acknowledged)
        return Singly(waits, time.process_time() - used)


def drain(database: Database[Document], partitions: Sequence[int]) -> int:
    """Scores the pending events of some partitions, and marks the changes; returns the number of events."""
    concerns: dict[str, Any] = {"write_concern": MAJORITY, "read_concern": ReadConcern("snapshot")}
    scored = 0
    with database.client.start_session() as session:
        more = True
        while more:
            rows = session.with_transaction(lambda current: _score(database, current, partitions), **concerns)
            scored, more = scored + rows, rows == BATCH
        while session.with_transaction(lambda current: _mark_changes(database, current, partitions), **concerns):
            pass
    return scored


def partition_of(lead_id: str, partitions: int = PARTITIONS) -> int:
    """Returns the partition of a lead."""
    return zlib.crc32(lead_id.encode()) % partitions


def event_row(event: Event) -> Document:
    """Returns the row of a pending event."""
    return {
        "_id": event.event_id,
        "lead_id": event.lead_id,
        "event_type": event.event_type,
        "event_time": event.event_time,
        "properties": event.properties,
        "source": "website",
        "partition": partition_of(event.lead_id),
        "state": "pending",
        "accept_time": wire.now(),
    }


def _score(database: Database[Document], session: ClientSession, partitions: Sequence[int]) -> int:
    rows = _pending_events(database, session, partitions)
    if not rows:
        return 0
    touched = sorted({row["partition"] for row in rows})
    transactions = database["partitions"]
    transactions.update_many({"_id": {"$in": touched}}, {"$inc": {"transactions": 1}}, session=session)
    ids = list({row["lead_id"] for row in rows})
    leads = {lead["_id"]: lead for lead in database["leads"].find({"_id": {"$in": ids}}, session=session)}
    entries = [_append(row, leads) for row in rows]
    database["history"].insert_many(entries, ordered=False, session=session)
    replaced = [ReplaceOne({"_id": each}, leads[each], upsert=True) for each in ids]
    database["leads"].bulk_write(replaced, ordered=False, session=session)
    batch = {"partition": partitions[0], "state": "pending", "accept_time": wire.now(), "changes": _changes(entries)}
    database["changes"].insert_one(batch, session=session)
    scored = {"_id": {"$in": [row["_id"] for row in rows]}}
    database["events"].update_many(scored, {"$set": {"state": "scored"}}, session=session)
    return len(rows)


def _pending_events(database: Database[Document], session: ClientSession, partitions: Sequence[int]) -> list[Document]:
    fields = dict.fromkeys(("lead_id", "partition", "event_type", "event_time", "properties"), 1)
    waiting = {"state": "pending", "partition": {"$in": list(partitions)}}
    found = database["events"].find(waiting, fields, session=session)
    return list(found.sort([("partition", 1), ("accept_time", 1)]).limit(BATCH))


def _mark_changes(database: Database[Document], session: ClientSession, partitions: Sequence[int]) -> int:
    waiting = {"state": "pending", "partition": {"$in": list(partitions)}}
    ids = [row["_id"] for row in database["changes"].find(waiting, session=session).limit(BATCH)]
    if ids:
        database["changes"].update_many({"_id": {"$in": ids}}, {"$set": {"state": "done"}}, session=session)
    return len(ids)


def _append(row: Document, leads: dict[str, Document]) -> Document:
    """Applies an event to its lead, and returns the history entry."""
    lead = leads.setdefault(row["lead_id"], _new_lead(row))
    before, kind = lead["score"], row["event_type"]
    lead["score"], lead["sequence"] = min(MAX_SCORE, before + POINTS), lead["sequence"] + 1
    lead["last_event_time"], lead["last_fact_id"] = row["event_time"], row["_id"]
    lead["contributions"][kind] = lead["contributions"].get(kind, 0) + lead["score"] - before
    return {
        "_id": row["_id"],
        "lead_id": row["lead_id"],
        "sequence": lead["sequence"],
        "kind": "EVENT",
        "event_type": kind,
        "rule_id": kind,
        "model_version": 1,
        "points": POINTS,
        "delta": lead["score"] - before,
        "score_before": before,
        "score_after": lead["score"],
        "stage_before": "cold",
        "stage_after": "cold",
        "event_time": row["event_time"],
        "record_time": wire.now(),
        "properties": row["properties"],
    }


def _changes(entries: Sequence[Document]) -> list[Document]:
    """Returns one change per lead."""
    copied = ("lead_id", "sequence", "score_before", "score_after", "record_time")
    return [
        {name: entry[name] for name in copied}
        | {"stages": ["cold"], "scores": [entry["score_before"], entry["score_after"]], "kinds": ["EVENT"]}
        | {"event_types": [entry["event_type"]], "date_bucket": f"{entry['record_time']:%Y-%m-%d}"}
        | {"last_event_time": entry["event_time"]}
        for entry in {entry["lead_id"]: entry for entry in entries}.values()
    ]


def _new_lead(row: Document) -> Document:
    return {
        "_id": row["lead_id"],
        "partition": row["partition"],
        "score": 0,
        "sequence": 0,
        "publication": 1,
        "first_event_time": row["event_time"],
        "decayed_through": "",
        "contributions": {},
        "usage": {},
        "group_points": {},
        "attributes": {},
    }
