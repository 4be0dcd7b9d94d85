"""Measures a shuffled file of events, and what the same data costs on disk."""

from collections.abc import Iterator
from pathlib import Path

from leadscore.scoring.v1 import scoring_pb2
from pymongo import MongoClient

from benchmarks.harness import reference
from benchmarks.harness.load import FUNNEL_LEADS, Funnel
from benchmarks.harness.options import Options, say
from benchmarks.harness.report import Figure, at_most
from benchmarks.harness.running import CALL_SECONDS, Running
from benchmarks.throughput import CLIENTS, until_scored
from shared.message_files import yaml_text

MODEL = Path(__file__).parents[1] / "docs/examples/bpic2012.yaml"
CONVERSIONS = ("A_APPROVED", "A_REGISTERED", "A_ACTIVATED")


def shuffled(running: Running, options: Options) -> Iterator[Figure]:
    """Measures events in random order over half a year, from the first call to the last score."""
    funnel = _funnel(options)
    reference.prepare(running.mongo_uri)
    publish(running)
    seconds = until_scored(running, funnel)
    say(f"shuffled funnel: {seconds:.1f} s")
    running.settle()
    plain = reference.pipeline(running.clients, running.mongo_uri, funnel)
    events = stored_events(running)
    name = f"{events:,} events of {options.sized(FUNNEL_LEADS):,} leads, shuffled, {CLIENTS} clients"
    note = f"one round; the events are {'those of a file' if options.funnel else 'made up'}"
    yield Figure(name, "s", [seconds], reference.NAME, [plain], at_most(25), note)


def size(running: Running, options: Options) -> Iterator[Figure]:
    """Measures the bytes on disk of a scored event with all that belongs to it, compressed, with indexes."""
    ensure_stored(running, options)
    with MongoClient[reference.Document](running.mongo_uri) as client:
        client.admin.command("fsync")  # sizes are up to date only after a checkpoint
        ours = client.get_default_database().command("dbStats")
        plain = client[reference.DATABASE].command("dbStats")
        events = client.get_default_database()["events"].estimated_document_count()
        others = client[reference.DATABASE]["events"].estimated_document_count()
    indexes = f"indexes are {ours['indexSize'] / (ours['storageSize'] + ours['indexSize']):.0%} of it"
    # Of a few events, the smallest size of a file would be most of it.
    references = [_megabytes(plain, others)] if others > events * 0.9 else []
    yield Figure(
        "stored for a million events", "MB", [_megabytes(ours, events)], reference.NAME, references, note=indexes
    )


def ensure_stored(running: Running, options: Options) -> None:
    """Sends the funnel if no event is stored yet, and waits until it is scored."""
    if not stored_events(running):
        publish(running)
        until_scored(running, _funnel(options))


def stored_events(running: Running) -> int:
    """Returns the number of events that the system has stored."""
    with MongoClient[reference.Document](running.mongo_uri) as client:
        return client.get_default_database()["events"].estimated_document_count()


def model(points: int = 0) -> scoring_pb2.ScoringModel:
    """Returns the model of the funnel; `points` are added to its first rule, which applies to every lead."""
    found = yaml_text.read_yaml(MODEL.read_text(), scoring_pb2.ScoringModel)
    found.rules[0].points += points
    return found


def publish(running: Running, points: int = 0) -> None:
    """Publishes the model of the funnel for all of history."""
    stub = running.scoring
    created = stub.CreateScoringModel(
        scoring_pb2.CreateScoringModelRequest(scoring_model=model(points)), timeout=CALL_SECONDS
    )
    in_force = stub.GetScoringModel(scoring_pb2.GetScoringModelRequest(), timeout=CALL_SECONDS)
    request = scoring_pb2.PublishScoringModelRequest(
        version=created.scoring_model.version,
        base_version=in_force.scoring_model.version,
        mode=scoring_pb2.PUBLICATION_MODE_RESCORE,
        actor="benchmark",
    )
    stub.PublishScoringModel(request, timeout=CALL_SECONDS)


def _funnel(options: Options) -> Funnel:
    return Funnel("funnel", options.sized(FUNNEL_LEADS), options.funnel)


def _megabytes(stats: reference.Document, events: int) -> float:
    return float(stats["storageSize"] + stats["indexSize"]) / events
