"""What each service may do in MongoDB, collection by collection, and why.

Guarantee: a service whose user is made from this table can do its work and nothing else. Only admin may change or
remove an entry of the history, and only ingest may insert an event.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.contracts.events import CONTRACT as EVENTS
from shared.contracts.score_changes import CONTRACT as CHANGES

FIND, INSERT, UPDATE, REMOVE = "find", "insert", "update", "remove"


class Right(NamedTuple):
    """Which actions a service may perform on a collection, by MongoDB's names for them."""

    collection: str
    actions: tuple[str, ...]
    reason: str


_SERVER = (
    Right("deployment", (FIND,), "checks the version of the schema and the form of lead ids at start"),
    Right("api_keys", (FIND,), "keeps the keys of callers in memory"),
    Right("audit_log", (INSERT, UPDATE), "inserts a row before a call that it records, and adds the outcome"),
)
"""What every server does."""

RIGHTS: Mapping[str, Sequence[Right]] = {
    "ingest": (
        *_SERVER,
        Right(EVENTS.collection, (FIND, INSERT), "stores events, compares those sent again, counts those that wait"),
        Right("event_ids", (FIND, INSERT), "reserves the ids of events in a sharded database"),
        Right("inboxes", (FIND,), "checks the number of partitions, and sees that drains have stopped"),
        Right("api_key_usage", (FIND, INSERT, UPDATE), "counts the events of a key and a day"),
        Right("erasures", (FIND,), "refuses events of erased leads"),
        Right("erased_events", (FIND,), "refuses events that have been erased"),
    ),
    "scoring": (
        *_SERVER,
        Right(EVENTS.collection, (FIND, UPDATE), "reads pending events and marks them as scored, parked or discarded"),
        Right(
            "leads",
            (FIND, INSERT, UPDATE, REMOVE),
            "stores the state of each lead",
        ),
        Right("score_history", (FIND, INSERT), "appends entries; nobody changes one, so it cannot either"),
        Right("checkpoints", (FIND, INSERT, REMOVE), "replaces the checkpoints after a late event"),
        Right(CHANGES.collection, (FIND, INSERT), "stores changes for automation, and counts those that wait"),
        Right("inboxes", (FIND, UPDATE), "checks the number of partitions, and reports that drains have stopped"),
        Right("scoring_models", (FIND, INSERT), "stores the versions of the model; nobody changes one"),
        Right("model_publications", (FIND, INSERT, UPDATE), "publishes versions, marks those that reached all leads"),
        Right("scoring_partitions", (FIND, UPDATE), "takes locks, and records decay and publications"),
        Right("scoring_locks", (FIND, UPDATE), "takes locks"),
    ),
    "automation": (
        *_SERVER,
        Right(CHANGES.collection, (FIND, INSERT, UPDATE, REMOVE), "marks changes as done, divides rows that failed"),
        Right("inboxes", (FIND, UPDATE), "checks the number of partitions, and reports that drains have stopped"),
        Right("automation_rules", (FIND, INSERT, UPDATE, REMOVE), "stores rules, which operators replace and delete"),
        Right("automation_executions", (FIND, INSERT, UPDATE), "records executions, and the state of their deliveries"),
        Right("automation_partitions", (FIND, UPDATE), "takes locks"),
        Right("automation_holds", (FIND, INSERT, UPDATE, REMOVE), "holds deliveries, and releases them"),
        Right("automation_searches", (FIND, INSERT, UPDATE), "records how far a search for inactive leads has come"),
    ),
    "intelligence": (
        *_SERVER,
        Right(CHANGES.collection, (FIND, "changeStream"), "watches changes, for callers that watch leads"),
    ),
    "admin": (
        Right(
            "deployment",
            (FIND, INSERT, UPDATE),
            "checks the version of the schema and the form of lead ids, and keeps the key of erasures",
        ),
        Right("api_keys", (FIND, INSERT, UPDATE), "creates, rotates and revokes keys"),
        Right("audit_log", (FIND, INSERT, UPDATE), "lists rows, inserts its own, removes erased names"),
        *(
            Right(collection, (FIND, INSERT, UPDATE, REMOVE), "exports and erases what is known of a person")
            for collection in (
                *(EVENTS.collection, "event_ids", "leads", "score_history", "checkpoints", CHANGES.collection),
                *("automation_executions", "automation_searches", "erasures", "erased_events"),
            )
        ),
        Right("scoring_locks", (FIND, UPDATE), "keeps workers from the lead that it erases"),
        Right("inboxes", (FIND,), "checks the number of partitions"),
        Right("model_publications", (FIND,), "knows which versions to ask for verdicts"),
    ),
}
"""By service. `migrate` needs more: it runs as a user who may create collections, indexes and users."""
