"""Fills a system with events that are already scored, much faster than its pipeline could.

It folds with the domain of the scoring service, one event after the other in order of time, and writes what the
pipeline would have written, with its own codecs, but in large unordered inserts without transactions. Each process has
leads of its own, whose states it holds in memory: about 1.5 GB for a million leads.

The changes that scoring reports to automation are left out: a system deletes them after seven days.
"""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from pymongo import MongoClient
from pymongo.database import Database

from benchmarks.harness.clients import Ready
from benchmarks.harness.load import KINDS, properties
from benchmarks.harness.options import say
from benchmarks.harness.reference import Document
from benchmarks.harness.running import Running
from scoring_service.domain.calendar import Calendar
from scoring_service.domain.history import HistoryBuilder
from scoring_service.domain.lead import Lead, LeadUpdate, Standing
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Timeline
from scoring_service.store import documents, model_documents
from scoring_service.store.schema import INDEXES
from shared import wire
from shared.contracts.events import CONTRACT, EventRow
from shared.partitions import Partitions

PROCESSES = 2
BATCH = 5_000
SPAN = timedelta(days=365)
REPORT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Filling:
    """Events of random leads, evenly spread over the year before now."""

    population: str
    """The prefix of the ids of leads, as in `Load`."""
    events: int
    leads: int

    def part(self, number: int, parts: int) -> Iterator[tuple[str, Event]]:
        """Yields the lead and the event, in order of time, of one process."""
        chance, began = random.Random(f"{self.population}-{number}"), wire.now() - SPAN
        for each in range(number, self.events, parts):
            time_ = began + SPAN * (each / self.events)
            time_ = time_.replace(microsecond=time_.microsecond // 1000 * 1000)
            lead_id = f"{self.population}-{chance.randrange(number, self.leads, parts)}"
            yield lead_id, Event(f"fill-{each:08}", chance.choice(KINDS), time_, properties(each))


def fill(running: Running, filling: Filling) -> None:
    """Writes the events of a filling, their history and their leads into a new system."""
    with MongoClient[Document](running.mongo_uri) as client:
        database = client.get_default_database()
        # Built afterwards, from sorted keys, an index of millions of entries costs a tenth.
        database["score_history"].drop_indexes()
        writing = running.clients.start(write, PROCESSES, running.mongo_uri, filling)
        began = time.monotonic()
        while wait(writing, REPORT_SECONDS).not_done:
            stored = database["events"].estimated_document_count()
            say(f"{stored:,} of {filling.events:,} events written, {stored / (time.monotonic() - began):,.0f}/s")
        for each in writing:
            each.result()
        say("building the indexes of the history")
        database["score_history"].create_indexes(list(INDEXES["score_history"]))
        client.admin.command("fsync")  # or the first measurement would pay for it


def write(ready: Ready, number: int, count: int, uri: str, filling: Filling) -> None:
    """Folds and writes a part of a filling; runs in a client process."""
    with MongoClient[Document](uri, tz_aware=True) as client:
        database = client.get_default_database()
        folder, partitions = _Folder(_timeline(database), _calendar(database)), _partitions(database)
        ready()
        events = filling.part(number, count)
        while batch := list(islice(events, BATCH)):
            updates = [folder.fold(lead_id, event) for lead_id, event in batch]
            _insert(database, "events", [_event_row(*each, partitions) for each in batch])
            _insert(database, "score_history", _entry_rows(updates, partitions))
            _insert(database, "checkpoints", _checkpoint_rows(updates, partitions))
        leads = (documents.write_lead(lead) | {"partition": partitions.of(lead.lead_id)} for lead in folder.leads())
        while rows := list(islice(leads, BATCH)):
            _insert(database, "leads", rows)


class _Folder:
    """Folds events in order of time, as the pipeline would if none came late."""

    def __init__(self, timeline: Timeline, calendar: Calendar) -> None:
        self._timeline = timeline
        self._calendar = calendar
        self._standing = Standing(None, timeline.number)
        self._leads: dict[str, Lead] = {}

    def fold(self, lead_id: str, event: Event) -> LeadUpdate:
        """Applies the next event to its lead."""
        lead = self._leads.get(lead_id) or Lead(lead_id)
        builder = HistoryBuilder(self._timeline, self._calendar, lead, event.event_time)
        if list(builder.record([self._timeline.judge(event)], self._standing)):
            raise ValueError(f"{event.event_id} came late: the events are not in order of time")
        update = builder.update()
        self._leads[lead_id] = update.after
        return update

    def leads(self) -> Iterable[Lead]:
        """Returns all leads as they are now."""
        return self._leads.values()


def _timeline(database: Database[Document]) -> Timeline:
    models = {row["_id"]: model_documents.read_model(row).model for row in database["scoring_models"].find()}
    publications = map(model_documents.read_publication, database["model_publications"].find().sort("_id"))
    return Timeline(list(publications), models.__getitem__)


def _calendar(database: Database[Document]) -> Calendar:
    partition: Any = database["scoring_partitions"].find_one()
    return Calendar(ZoneInfo(partition["time_zone"]))


def _partitions(database: Database[Document]) -> Partitions:
    inbox: Any = database["inboxes"].find_one({"_id": CONTRACT.collection})
    return Partitions(inbox["partitions"])


def _event_row(lead_id: str, event: Event, partitions: Partitions) -> Document:
    row = EventRow(event.event_id, lead_id, event.event_type, event.event_time, dict(event.properties), "website")
    stored = {name: value for name, value in row.to_document().items() if name not in CONTRACT.cleared}
    return stored | {"partition": partitions.of(lead_id), "state": CONTRACT.done, "accept_time": event.event_time}


def _entry_rows(updates: Sequence[LeadUpdate], partitions: Partitions) -> list[Document]:
    return [
        documents.write_entry(each.after.lead_id, partitions.of(each.after.lead_id), entry)
        for each in updates
        for entry in each.entries
    ]


def _checkpoint_rows(updates: Sequence[LeadUpdate], partitions: Partitions) -> list[Document]:
    return [
        documents.write_checkpoint(each.after.lead_id, partitions.of(each.after.lead_id), state)
        for each in updates
        for state in each.checkpoints
    ]


def _insert(database: Database[Document], collection: str, rows: list[Document]) -> None:
    if rows:
        database[collection].insert_many(rows, ordered=False)
