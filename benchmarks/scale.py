"""`make bench SCALE=1`: fills a million leads and ten million events, and measures what that slows down."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from leadscore.scoring.v1 import scoring_pb2
from pymongo import MongoClient

from benchmarks import cost, files, freshness, funnel, reads, throughput
from benchmarks.harness import reference
from benchmarks.harness.fill import Filling, fill
from benchmarks.harness.load import load
from benchmarks.harness.options import Options, in_turn, say
from benchmarks.harness.report import Figure, share_of_reference
from benchmarks.harness.running import Running
from benchmarks.harness.running import running as another

LEADS, FEW_LEADS = 1_000_000, throughput.MANY_LEADS
EVENTS, FEW_EVENTS = 10_000_000, 100_000
POPULATION = "scale"
PARTS = (
    freshness.visible,
    reads.intelligence,
    reads.summary,
    reads.top,
    files.exports,
    cost.memory,
    funnel.size,
)
"""What is measured after the throughput, in this order."""
VERIFY_SECONDS = 90.0
DECAY_SECONDS = 15.0
STREAM_SECONDS = 600.0


def scale(running: Running, options: Options) -> Iterator[Figure]:
    """Fills the system, has it verify what it holds, and measures the pipeline and whatever else depends on size."""
    filling = Filling(POPULATION, options.sized(EVENTS), options.sized(LEADS))
    fill(running, filling)
    verify(running, filling.events)
    yield pipeline(running, options)
    for part in PARTS:
        yield from part(running, options)
    yield decay(running)


def pipeline(running: Running, options: Options) -> Figure:
    """Measures throughput beside a second system that has stored few events, in turn."""

    def measure(system: Running) -> float:
        sent = load("scale", options.sized(throughput.EVENTS), options.sized(FEW_LEADS), POPULATION)
        system.settle()
        return sent.events / throughput.until_scored(system, sent)

    few = Filling(POPULATION, options.sized(FEW_EVENTS), options.sized(FEW_LEADS))
    with tempfile.TemporaryDirectory(prefix="leadscore-bench-", dir=options.directory) as directory:
        say("starting a second system")
        with another(Path(directory)) as small:
            fill(small, few)
            measure(running), measure(small)  # the first round only warms up
            pairs = in_turn(options, "throughput", lambda: measure(running), lambda: measure(small))
    name = f"end to end, {few.leads:,} leads, {options.sized(EVENTS):,} events stored"
    return Figure(name, "events/s", pairs.ours, f"with {few.events:,} stored", pairs.reference, share_of_reference(0.8))


def verify(running: Running, events: int) -> None:
    """Has the system verify its leads, as many as it can within `VERIFY_SECONDS`, and counts all events and entries.

    Raises:
        ValueError: What was filled is not what the pipeline would have stored.
    """
    began, progress = time.monotonic(), scoring_pb2.VerifyScoresResponse()
    stream = running.scoring.VerifyScores(scoring_pb2.VerifyScoresRequest(), timeout=STREAM_SECONDS)
    for progress in stream:
        for violation in progress.violations:
            raise ValueError(f"what was filled is inconsistent: {violation}")
        if not progress.done and time.monotonic() - began > VERIFY_SECONDS:
            stream.cancel()
            break
    say(f"{progress.leads_checked:,} of {progress.leads_total:,} leads verified, {progress.entries_checked:,} entries")
    counted = _counted_events(running)
    if set(counted.values()) != {events}:
        raise ValueError(f"{events:,} events were filled, but the system holds {counted}")


def decay(running: Running) -> Figure:
    """Measures the first `DECAY_SECONDS` of the first decay run, which has up to a year of ticks to apply."""
    began, leads, seconds = time.monotonic(), 0, 0.0
    stream = running.scoring.DecayScores(scoring_pb2.DecayScoresRequest(), timeout=STREAM_SECONDS)
    for progress in stream:
        leads, seconds = progress.leads_checked, time.monotonic() - began
        if not progress.done and seconds > DECAY_SECONDS:
            stream.cancel()
            break
    note = f"the first {leads:,} leads of a run that catches up a year"
    return Figure("decay", "leads/s", [leads / seconds], note=note)


def _counted_events(running: Running) -> dict[str, int]:
    """Returns the number of events according to the inbox, to the histories and to the leads."""
    with MongoClient[reference.Document](running.mongo_uri) as client:
        database = client.get_default_database()
        total = database["leads"].aggregate([{"$group": {"_id": None, "events": {"$sum": "$event_count"}}}])
        return {
            "events": database["events"].estimated_document_count(),
            "score_history": database["score_history"].estimated_document_count(),
            "leads": sum(row["events"] for row in total),
        }
