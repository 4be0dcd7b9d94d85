"""Measures throughput from the first call to the last score, with few leads and with many."""

import os
import statistics
from collections.abc import Iterator, Sequence

from benchmarks.harness import calls, reference
from benchmarks.harness.clients import Ran
from benchmarks.harness.load import Funnel, Load, load
from benchmarks.harness.options import Options, in_turn
from benchmarks.harness.report import Figure, Goal, share_of_reference
from benchmarks.harness.running import Running

BATCH = 500
CLIENTS = 4
EVENTS = 20_000
FEW_LEADS, MANY_LEADS = 1_000, 100_000


def end_to_end(running: Running, options: Options) -> Iterator[Figure]:
    """Measures from the first call of a batch to the commit of the last score, with leads that have many events."""
    yield pipeline(running, options, FEW_LEADS, "few", share_of_reference(0.75))


def end_to_end_wide(running: Running, options: Options) -> Iterator[Figure]:
    """Measures the same with so many leads that a batch hardly ever has two events of one lead."""
    yield pipeline(running, options, MANY_LEADS, "many", share_of_reference(0.65))


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
    cores = len(os.sched_getaffinity(0))
    note = (
        f"{statistics.median(pairs.ours) / cores:,.0f} events/s and core, of {cores} that clients and databases share"
    )
    return Figure(name, "events/s", pairs.ours, reference.NAME, pairs.reference, goal, note)


def until_scored(running: Running, sent: Load | Funnel) -> float:
    """Sends a load in batches; returns the seconds from the first call until every event is scored."""
    sending = send(running, running.targets["ingest"], sent)
    return running.wait_until_scored() - min(each.began for each in sending)


def send(running: Running, target: str, sent: Load | Funnel) -> Sequence[Ran[int]]:
    """Sends a load in batches from several client processes to an ingest server."""
    return running.clients.run(calls.send_batches, CLIENTS, target, sent, BATCH)
