"""The reference of `make bench` does all of the work that it is compared by."""

from pymongo import MongoClient

from benchmarks.harness import reference
from benchmarks.harness.load import load


def ready() -> None:
    """Stands for the wait for other clients."""


def test_the_reference_inserts_and_scores_every_event(mongo_uri: str) -> None:
    sent = load("test", 1_300, 100)
    reference.prepare(mongo_uri)
    for number in range(reference.PROCESSES):
        reference.insert_events(ready, number, reference.PROCESSES, mongo_uri, sent)
    scored = [
        reference.score_events(ready, number, reference.PROCESSES, mongo_uri) for number in range(reference.PROCESSES)
    ]
    assert sum(scored) == 1_300
    with MongoClient[reference.Document](mongo_uri) as client:
        database = client[reference.DATABASE]
        assert database["events"].count_documents({"state": "pending"}) == 0
        assert database["changes"].count_documents({"state": "pending"}) == 0
        assert database["history"].count_documents({}) == 1_300
        assert sum(lead["score"] for lead in database["leads"].find()) == 1_300 * reference.POINTS


def test_the_reference_scores_single_events_one_by_one(mongo_uri: str) -> None:
    reference.prepare(mongo_uri)
    found = reference.single_events(ready, 0, 1, mongo_uri, load("test", 5, 2), rate=1_000)
    assert len(found.waits) == 5
    assert found.cpu_seconds > 0
