"""Measures the scoring model over the funnel: judging an event, simulating another model, and rescoring all leads."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from leadscore.scoring.v1 import scoring_pb2
from pymongo import MongoClient

from benchmarks.funnel import CONVERSIONS, ensure_stored, model, publish, stored_events
from benchmarks.harness import reference
from benchmarks.harness.options import Options, Pairs, in_turn, say
from benchmarks.harness.report import Figure, at_most
from benchmarks.harness.running import CALL_SECONDS, Running
from scoring_service.domain.model import Event, Rule
from scoring_service.store.schema import built_in
from shared import wire
from shared.conditions import Condition, Operator

RULES = 200
SIMULATION_SECONDS = 300.0
READING = "reading the history"


def judge(_running: Running, _options: Options) -> Iterator[Figure]:
    """Measures how long a model of 200 rules takes to judge an event, and one lookup in a dictionary."""
    ours, lookup = _microseconds_per_event()
    yield Figure(f"judging an event by {RULES} rules", "µs", [ours], "a dictionary lookup", [lookup])


def simulate(running: Running, options: Options) -> Iterator[Figure]:
    """Measures a simulation of another model that judges both at one landmark, over the funnel alone."""
    ensure_stored(running, options)
    running.settle()
    pairs = in_turn(options, "simulate", lambda: _simulate(running), lambda: _read_history(running))
    yield _figure("simulate and judge", running, pairs, 5)


def rescore(running: Running, options: Options) -> Iterator[Figure]:
    """Measures the publication of another model until every lead of the funnel is rescored."""
    ensure_stored(running, options)
    running.settle()
    points = iter(range(1, options.rounds + 1))
    pairs = in_turn(options, "rescore", lambda: _rescore(running, next(points)), lambda: _read_history(running))
    yield _figure("rescore", running, pairs, 6)


def _figure(what: str, running: Running, pairs: Pairs, limit: float) -> Figure:
    name = f"{what}, {stored_events(running):,} events"
    return Figure(name, "s", pairs.ours, READING, pairs.reference, at_most(limit))


def _simulate(running: Running) -> float:
    began = time.monotonic()
    request = scoring_pb2.SimulateScoringModelRequest(draft=model(1), conversion_event_types=CONVERSIONS)
    for _ in running.scoring.SimulateScoringModel(request, timeout=SIMULATION_SECONDS):
        pass
    return time.monotonic() - began


def _rescore(running: Running, points: int) -> float:
    began, latest = time.monotonic(), scoring_pb2.ListModelPublicationsRequest(page_size=1)
    publish(running, points)
    while running.scoring.ListModelPublications(latest, timeout=CALL_SECONDS).publications[0].leads_left:
        time.sleep(0.1)
    seconds = time.monotonic() - began
    running.settle()
    return seconds


def _read_history(running: Running) -> float:
    """Returns the seconds that plain pymongo needs to read the history entries of all events."""
    began = time.monotonic()
    with MongoClient[reference.Document](running.mongo_uri) as client:
        read = sum(1 for _ in client.get_default_database()["score_history"].find({"kind": "EVENT"}).batch_size(5_000))
    say(f"read {read:,} entries")
    return time.monotonic() - began


def _microseconds_per_event() -> tuple[float, float]:
    """Returns the µs per event for a model of 200 rules, and for one lookup in a dictionary.

    The rules cover 20 event types and have two conditions each; only the last rule of each type matches.
    """
    rules = tuple(
        Rule(
            f"r{index}",
            (f"kind{index % 20}",),
            5,
            (Condition("path", Operator.EQUALS, f"/p/{index}"), Condition("pages", Operator.AT_LEAST, 3.0)),
        )
        for index in range(RULES)
    )
    judged = replace(built_in(), rules=rules)
    events = [
        Event("e", f"kind{index % 20}", wire.now(), {"path": f"/p/{RULES - 20 + index % 20}", "pages": 3.0})
        for index in range(2_000)
    ]
    table = {event.event_type: event for event in events}
    return _median(lambda: [judged.rule_for(event) for event in events]) / len(events) * 1e6, (
        _median(lambda: [table[event.event_type] for event in events]) / len(events) * 1e6
    )


def _median(run: Callable[[], object]) -> float:
    times = []
    for _ in range(15):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
