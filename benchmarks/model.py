"""Measures the scoring model: judging an event, simulating a model over many leads, and rescoring them."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from leadscore.ingest.v1 import ingest_pb2
from leadscore.scoring.v1 import scoring_pb2
from pymongo import AsyncMongoClient

from scoring_service.domain.model import Event, Rule
from scoring_service.store.schema import built_in
from shared import wire
from shared.conditions import Condition, Operator
from shared.message_files import yaml_text
from shared.mongo import Document
from testkit.system import System
from testkit.traffic import all_scored, send

RULES = 200
LEADS = 7_500
EVENTS = 150_000
MODEL = Path(__file__).parents[1] / "docs/examples/b2b.yaml"
KINDS = ("page_view", "download", "signup", "email_click", "webinar_attended")


def microseconds_per_event() -> tuple[float, float]:
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
    model = replace(built_in(), rules=rules)
    events = [
        Event("e", f"kind{index % 20}", wire.now(), {"path": f"/p/{RULES - 20 + index % 20}", "pages": 3.0})
        for index in range(2_000)
    ]
    table = {event.event_type: event for event in events}
    return _median(lambda: [model.rule_for(event) for event in events]) / len(events) * 1e6, (
        _median(lambda: [table[event.event_type] for event in events]) / len(events) * 1e6
    )


async def fill(system: System) -> None:
    """Sends 150,000 events of 7,500 leads over 60 days, and waits until they are scored."""
    chance, now = random.Random(1), wire.now()
    events = [
        ingest_pb2.Event(
            event_id=f"model-{number}",
            lead_id=f"model-lead-{chance.randrange(LEADS)}",
            event_type=chance.choice(KINDS),
            event_time=wire.to_timestamp(now - timedelta(minutes=chance.randrange(60 * 24 * 60))),
        )
        for number in range(EVENTS)
    ]
    await send(system, events, batch=500, clients=4)
    await all_scored(system, within=300)


async def simulate(system: System) -> float:
    """Returns the seconds to simulate another model over all leads, with a ranking."""
    started = time.perf_counter()
    request = scoring_pb2.SimulateScoringModelRequest(draft=_model(), conversion_event_types=["webinar_attended"])
    async for _ in system.scoring().SimulateScoringModel(request, timeout=300):
        pass
    return time.perf_counter() - started


async def rescore(system: System) -> float:
    """Returns the seconds from publishing another model with a rescore until every lead is rescored."""
    started, stub = time.perf_counter(), system.scoring()
    created = await stub.CreateScoringModel(scoring_pb2.CreateScoringModelRequest(scoring_model=_model()), timeout=30)
    in_force = await stub.GetScoringModel(scoring_pb2.GetScoringModelRequest(), timeout=30)
    request = scoring_pb2.PublishScoringModelRequest(
        version=created.scoring_model.version,
        base_version=in_force.scoring_model.version,
        mode=scoring_pb2.PUBLICATION_MODE_RESCORE,
        actor="benchmark",
    )
    await stub.PublishScoringModel(request, timeout=30)
    asked = scoring_pb2.ListModelPublicationsRequest(page_size=1)
    while (await stub.ListModelPublications(asked, timeout=30)).publications[0].leads_left:
        await asyncio.sleep(0.1)
    return time.perf_counter() - started


async def read_history(system: System) -> float:
    """Returns the seconds to read all history entries: the floor of a simulation and of a rescore."""
    started = time.perf_counter()
    async with AsyncMongoClient[Document](system.mongo.uri) as client:
        history = client.get_default_database()["score_history"]
        async for _ in history.find({"kind": "EVENT"}).batch_size(5_000):
            pass
    return time.perf_counter() - started


async def measure(system: System) -> None:
    """Runs the measurements of the model and prints the results."""
    ours, floor = microseconds_per_event()
    print(f"judging an event by {RULES} rules: {ours:.1f} µs; a dictionary lookup: {floor:.2f} µs", flush=True)
    await fill(system)
    base = statistics.median([await read_history(system) for _ in range(3)])
    seconds = statistics.median([await simulate(system) for _ in range(3)])
    what = f"{LEADS:,} leads, {EVENTS:,} events"
    print(f"simulating a model, {what}: {seconds:.1f} s; reading the history: {base:.1f} s", flush=True)
    print(f"rescoring them: {await rescore(system):.1f} s", flush=True)


def _model() -> scoring_pb2.ScoringModel:
    return yaml_text.read_yaml(MODEL.read_text(), scoring_pb2.ScoringModel)


def _median(run: Callable[[], object]) -> float:
    times = []
    for _ in range(15):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
