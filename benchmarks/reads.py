"""Measures reading: the intelligence on one lead and on many, and the summary of the pipeline."""

import time
from collections.abc import Iterator, Sequence

from leadscore.intelligence.v1 import intelligence_pb2
from pymongo import MongoClient

from benchmarks.harness import calls, reference
from benchmarks.harness.clients import Ready, seconds
from benchmarks.harness.load import load
from benchmarks.harness.options import Options, in_turn
from benchmarks.harness.report import Figure, at_least, at_most
from benchmarks.harness.running import CALL_SECONDS, Running
from benchmarks.throughput import MANY_LEADS, until_scored

LEADS = 10_000
SINGLE_CALLS, IN_FLIGHT = 4_000, 50
BATCH, BATCHES, BATCHES_IN_FLIGHT = 100, 200, 4
TOP_PAGES = 20
SUMMARY_LEADS = 1_000_000
SUMMARY_GOAL = at_most(2)


def intelligence(running: Running, options: Options) -> Iterator[Figure]:
    """Measures calls of GetLeadIntelligence, one lead each, and leads read in batches."""
    ids, target = _lead_ids(running, options), running.targets["intelligence"]
    running.settle()

    def one_each() -> float:
        asked = _repeated(ids, options.sized(SINGLE_CALLS))
        return running.clients.rate(len(asked), calls.read_leads, 1, target, asked, 1, IN_FLIGHT)

    def empty() -> float:
        count = options.sized(SINGLE_CALLS)
        return running.clients.rate(count, calls.empty_calls, 1, target, count, IN_FLIGHT)

    def many_each() -> float:
        asked = _repeated(ids, options.sized(BATCHES) * BATCH)
        return running.clients.rate(len(asked), calls.read_leads, 1, target, asked, BATCH, BATCHES_IN_FLIGHT)

    def plain() -> float:
        asked = _repeated(ids, options.sized(BATCHES) * BATCH)
        return len(asked) / seconds(running.clients.run(find_leads, 1, running.mongo_uri, asked))

    one_each()
    pairs = in_turn(options, "GetLeadIntelligence", one_each, empty)
    name = f"GetLeadIntelligence, {IN_FLIGHT} in flight"
    yield Figure(name, "calls/s", pairs.ours, "empty gRPC calls", pairs.reference, at_least(1_500))
    pairs = in_turn(options, "BatchGetLeadIntelligence", many_each, plain)
    name = f"BatchGetLeadIntelligence of {BATCH}, {BATCHES_IN_FLIGHT} in flight"
    yield Figure(name, "leads/s", pairs.ours, "plain find", pairs.reference, at_least(10_000))


def summary(running: Running, options: Options) -> Iterator[Figure]:
    """Measures the summary of the pipeline over the leads that are stored, and counting them in MongoDB by score."""
    _lead_ids(running, options)
    running.settle()
    leads = _count(running)

    def ours() -> float:
        began = time.monotonic()
        running.intelligence.GetPipelineSummary(intelligence_pb2.GetPipelineSummaryRequest(), timeout=CALL_SECONDS)
        return time.monotonic() - began

    def plain() -> float:
        began = time.monotonic()
        with MongoClient[reference.Document](running.mongo_uri) as client:
            stored = client.get_default_database()["leads"]
            list(stored.aggregate([{"$group": {"_id": "$score", "leads": {"$sum": 1}}}]))
        return time.monotonic() - began

    pairs = in_turn(options, "summary", ours, plain)
    goal = SUMMARY_GOAL if leads > SUMMARY_LEADS * 0.99 else None
    name = f"pipeline summary, {leads:,} leads"
    yield Figure(name, "s", pairs.ours, "counting by score", pairs.reference, goal)


def top(running: Running, options: Options) -> Iterator[Figure]:
    """Measures pages of the leads with the highest scores, with their intelligence, and reading the rows alone."""
    running.settle()

    def ours() -> float:
        request = intelligence_pb2.ListTopLeadsRequest(page_size=BATCH)
        began = time.monotonic()
        for _ in range(TOP_PAGES):
            running.intelligence.ListTopLeads(request, timeout=CALL_SECONDS)
        return (time.monotonic() - began) / TOP_PAGES * 1000

    def plain() -> float:
        with MongoClient[reference.Document](running.mongo_uri) as client:
            leads = client.get_default_database()["leads"]
            began = time.monotonic()
            for _ in range(TOP_PAGES):
                leads.find().sort([("score", -1), ("_id", 1)]).limit(BATCH).to_list()
            return (time.monotonic() - began) / TOP_PAGES * 1000

    pairs = in_turn(options, "top leads", ours, plain)
    yield Figure(f"the {BATCH} top leads of {_count(running):,}", "ms", pairs.ours, "plain find", pairs.reference)


def find_leads(ready: Ready, _: int, __: int, uri: str, lead_ids: Sequence[str]) -> None:
    """Reads leads in batches with plain pymongo; runs in a client process."""
    with MongoClient[reference.Document](uri) as client:
        leads = client.get_default_database()["leads"]
        client.admin.command("ping")
        ready()
        for start in range(0, len(lead_ids), BATCH):
            list(leads.find({"_id": {"$in": lead_ids[start : start + BATCH]}}))


def _lead_ids(running: Running, options: Options) -> list[str]:
    """Returns the ids of some stored leads; if there are too few, it makes some."""
    if _count(running) < options.sized(LEADS):
        leads = options.sized(MANY_LEADS)
        until_scored(running, load("reads", leads, leads, "read"))
    with MongoClient[reference.Document](running.mongo_uri) as client:
        some: list[reference.Document] = [{"$sample": {"size": options.sized(LEADS)}}, {"$project": {"_id": 1}}]
        return [row["_id"] for row in client.get_default_database()["leads"].aggregate(some)]


def _count(running: Running) -> int:
    with MongoClient[reference.Document](running.mongo_uri) as client:
        return client.get_default_database()["leads"].estimated_document_count()


def _repeated(ids: Sequence[str], count: int) -> list[str]:
    return [ids[number % len(ids)] for number in range(count)]
