"""Measures an ingest server alone, while no worker scores: durable batches and durable single calls.

The server is one of its own, with a database of its own on the MongoDB of the system, so that nobody scores what it
stores: the two cores are left to it, to its clients and to mongod. Its settings are the default ones.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pymongo import IndexModel, MongoClient

from benchmarks.harness import calls, reference
from benchmarks.harness.clients import Ready, seconds
from benchmarks.harness.load import Load, load
from benchmarks.harness.options import Options, in_turn, say
from benchmarks.harness.report import Figure, share_of_reference
from benchmarks.harness.running import Running
from benchmarks.throughput import BATCH, FEW_LEADS, send
from cli.local.embedded import free_port
from cli.operations.health import Health, ask

DURABLE_EVENTS = 20_000
SINGLE_CALLS = 8_000
SINGLE_CALLS_BESIDE_SCORING = 4_000
IN_FLIGHT = 100
START_SECONDS = 30.0
DATABASE = "ingest_alone"
COPY = "copy_of_events"
NO_SETTINGS: Mapping[str, str] = {}
REDIS_DATABASE = 1
"""Doorbells of this server must not wake the workers of the system."""


@dataclass(frozen=True, slots=True)
class IngestServer:
    """An ingest server whose events nobody scores."""

    target: str
    mongo_uri: str

    def empty(self) -> None:
        """Deletes all events, so that each round begins alike."""
        with MongoClient[reference.Document](self.mongo_uri) as client:
            client.get_default_database()["events"].delete_many({})
            client[reference.DATABASE][COPY].delete_many({})


def durable_batches(running: Running, options: Options) -> Iterator[Figure]:
    """Measures accepting batches, and inserting the same documents with plain pymongo into a like collection."""
    sent = load("durable", options.sized(DURABLE_EVENTS), FEW_LEADS)
    with ingest_alone(running) as server:

        def ours() -> float:
            nonlocal sent
            sent = sent.again()
            server.empty()
            return sent.events / seconds(send(running, server.target, sent))

        def plain() -> float:
            inserted = running.clients.run(insert_copies, reference.PROCESSES, server.mongo_uri, sent)
            return sent.events / seconds(inserted)

        _copy_indexes(server.mongo_uri)
        ours(), plain()  # the first round only warms up
        pairs = in_turn(options, "durable batches", ours, plain)
    name = f"durable batches of {BATCH}, alone"
    yield Figure(name, "events/s", pairs.ours, "plain insert_many", pairs.reference, share_of_reference(0.6))


def single_calls(running: Running, options: Options) -> Iterator[Figure]:
    """Measures durable single calls and empty calls to the same server, then single calls while workers score."""
    sent = load("single", options.sized(SINGLE_CALLS), FEW_LEADS)
    with ingest_alone(running) as server:

        def ours() -> float:
            server.empty()
            return running.clients.rate(sent.events, calls.single_calls, 1, server.target, sent.again(), IN_FLIGHT)

        def empty() -> float:
            return running.clients.rate(sent.events, calls.empty_calls, 1, server.target, sent.events, IN_FLIGHT)

        ours(), empty()
        pairs = in_turn(options, "single calls", ours, empty)
    name = f"durable single calls, {IN_FLIGHT} in flight"
    goal = share_of_reference(0.65)
    yield Figure(f"{name}, alone", "calls/s", pairs.ours, "empty gRPC calls", pairs.reference, goal)
    beside = [_beside_scoring(running, options) for _ in range(options.rounds)]
    yield Figure(f"{name}, while workers score them", "calls/s", beside, "alone", pairs.ours)


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


@contextmanager
def ingest_alone(running: Running, settings: Mapping[str, str] = NO_SETTINGS) -> Iterator[IngestServer]:
    """Runs an ingest server without workers while the block runs; `settings` are further variables."""
    running.settle()
    port = free_port()
    server = IngestServer(f"127.0.0.1:{port}", _with_path(running.mongo_uri, DATABASE))
    environment = os.environ | {
        "LEADSCORE_MONGO_URI": server.mongo_uri,
        "LEADSCORE_REDIS_URL": urlsplit(running.redis_url)._replace(query=f"db={REDIS_DATABASE}").geturl(),
        "LEADSCORE_PORT": str(port),
        **settings,
    }
    subprocess.run(_command("migrate"), env=environment, check=True, capture_output=True)
    process = subprocess.Popen(_command("serve"), env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_until_serving(server.target)
        yield server
    finally:
        process.terminate()
        process.wait()
        with MongoClient[reference.Document](server.mongo_uri) as client:
            client.drop_database(DATABASE)


def _beside_scoring(running: Running, options: Options) -> float:
    sent = load("single", options.sized(SINGLE_CALLS_BESIDE_SCORING), FEW_LEADS)
    running.settle()
    found = running.clients.rate(sent.events, calls.single_calls, 1, running.targets["ingest"], sent, IN_FLIGHT)
    say(f"single calls while workers score them: {found:,.0f}")
    return found


def _wait_until_serving(target: str) -> None:
    ends = time.monotonic() + START_SECONDS
    while ask(target, "", seconds=2) is not Health.SERVING:
        if time.monotonic() > ends:
            raise TimeoutError(f"the ingest server does not serve within {START_SECONDS:g} s")
        time.sleep(0.1)


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", "ingest_service", name]


def _with_path(uri: str, path: str) -> str:
    """Returns the URI of another database of the same server."""
    return urlunsplit(urlsplit(uri)._replace(path=f"/{path}"))


def _copy_indexes(uri: str) -> None:
    """Creates an empty collection with the indexes that `events` has."""
    with MongoClient[reference.Document](uri) as client:
        copy = client[reference.DATABASE][COPY]
        copy.drop()
        for index in client.get_default_database()["events"].list_indexes():
            if index["name"] != "_id_":
                copy.create_indexes([IndexModel(list(index["key"].items()), **_options_of(index))])


def _options_of(index: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in index.items() if name not in {"v", "key", "ns"}}
