"""Measures throughput: end to end, durable batches alone, and durable single calls."""

from collections.abc import Iterator, Sequence

from pymongo import IndexModel, MongoClient

from benchmarks.harness import calls, reference
from benchmarks.harness.clients import Ran, Ready, seconds
from benchmarks.harness.load import Funnel, Load, load
from benchmarks.harness.options import Options, in_turn
from benchmarks.harness.processes import paused
from benchmarks.harness.report import Figure, Goal, share_of_reference
from benchmarks.harness.running import Running

BATCH = 500
CLIENTS = 4
EVENTS = 30_000
FEW_LEADS, MANY_LEADS = 1_000, 100_000
DURABLE_EVENTS = 20_000
SINGLE_CALLS = 8_000
IN_FLIGHT = 100
COPY = "copy_of_events"


def end_to_end(running: Running, options: Options) -> Iterator[Figure]:
    """Measures from the first call of a batch to the commit of the last score, with leads that have many events."""
    yield pipeline(running, options, FEW_LEADS, "few", share_of_reference(0.75))


def end_to_end_wide(running: Running, options: Options) -> Iterator[Figure]:
    """Measures the same with so many leads that a batch hardly ever has two events of one lead."""
    yield pipeline(running, options, MANY_LEADS, "many", share_of_reference(0.65))


def durable_batches(running: Running, options: Options) -> Iterator[Figure]:
    """Measures accepting batches while no worker scores them, and inserting the same documents with plain pymongo."""
    sent = load("durable", options.sized(DURABLE_EVENTS), FEW_LEADS)

    def ours() -> float:
        nonlocal sent
        sent = sent.again()
        running.settle()
        with paused("scoring worker"):
            return sent.events / seconds(send(running, sent))

    def plain() -> float:
        running.settle()
        return sent.events / seconds(running.clients.run(insert_copies, reference.PROCESSES, running.mongo_uri, sent))

    _copy_indexes(running.mongo_uri)
    ours()
    pairs = in_turn(options, "durable batches", ours, plain)
    name = f"durable batches of {BATCH}, scoring paused"
    yield Figure(name, "events/s", pairs.ours, "plain insert_many", pairs.reference, share_of_reference(0.6))


def single_calls(running: Running, options: Options) -> Iterator[Figure]:
    """Measures durable single calls and empty calls to the same server, from the same client process."""
    target, sent = running.targets["ingest"], load("single", options.sized(SINGLE_CALLS), FEW_LEADS)

    def ours() -> float:
        running.settle()
        return running.clients.rate(sent.events, calls.single_calls, 1, target, sent.again(), IN_FLIGHT)

    def empty() -> float:
        running.settle()
        return running.clients.rate(sent.events, calls.empty_calls, 1, target, sent.events, IN_FLIGHT)

    ours()
    pairs = in_turn(options, "single calls", ours, empty)
    name = f"durable single calls, {IN_FLIGHT} in flight"
    yield Figure(name, "calls/s", pairs.ours, "empty gRPC calls", pairs.reference, share_of_reference(0.65))


def insert_copies(ready: Ready, number: int, count: int, uri: str, sent: Load) -> None:
    """Inserts a part of the stored documents of a load into the copy of the collection; runs in a client process."""
    ids = [event.event_id for event in sent.part(number, count)]
    with MongoClient[reference.Document](uri) as client:
        rows = list(client.get_default_database()["events"].find({"_id": {"$in": ids}}))
        if len(rows) != len(ids):
            raise ValueError(f"{len(ids):,} events were sent, {len(rows):,} are stored")
        copy = client[reference.DATABASE].get_collection(COPY, write_concern=reference.MAJORITY)
        ready()
        for start in range(0, len(rows), BATCH):
            copy.insert_many(rows[start : start + BATCH], ordered=False)


def pipeline(running: Running, options: Options, leads: int, population: str, goal: Goal) -> Figure:
    """Returns the throughput from the first call to the last score, for events of a population of leads."""
    sent = load("pipeline", options.sized(EVENTS), options.sized(leads), population)

    def ours() -> float:
        nonlocal sent
        sent = sent.again()
        running.settle()
        return sent.events / until_scored(running, sent)

    def plain() -> float:
        running.settle()
        return sent.events / reference.pipeline(running.clients, running.mongo_uri, sent)

    reference.prepare(running.mongo_uri)
    ours(), plain()  # the first round only warms up
    pairs = in_turn(options, f"end to end, {leads:,} leads", ours, plain)
    name = f"end to end, batches of {BATCH}, {sent.leads:,} leads"
    return Figure(name, "events/s", pairs.ours, reference.NAME, pairs.reference, goal)


def until_scored(running: Running, sent: Load | Funnel) -> float:
    """Sends a load in batches; returns the seconds from the first call until every event is scored."""
    sending = send(running, sent)
    return running.wait_until_scored() - min(each.began for each in sending)


def send(running: Running, sent: Load | Funnel) -> Sequence[Ran[int]]:
    """Sends a load in batches from several client processes."""
    return running.clients.run(calls.send_batches, CLIENTS, running.targets["ingest"], sent, BATCH)


def _copy_indexes(uri: str) -> None:
    """Creates an empty collection with the indexes that `events` has."""
    with MongoClient[reference.Document](uri) as client:
        copy = client[reference.DATABASE][COPY]
        copy.drop()
        known = ("v", "key", "ns")
        for index in client.get_default_database()["events"].list_indexes():
            options = {name: value for name, value in index.items() if name not in known}
            if options["name"] != "_id_":
                copy.create_indexes([IndexModel(list(index["key"].items()), **options)])
