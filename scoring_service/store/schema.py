"""The collections and indexes of this service, and what a new database contains."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from itertools import chain

from leadscore.scoring.v1 import scoring_pb2 as pb
from pymongo import ASCENDING, DESCENDING, IndexModel

from scoring_service import model_codec
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.timeline import Mode, Publication
from scoring_service.store import locks, model_documents
from scoring_service.store.facts import BY_POSITION
from scoring_service.store.models import ModelStore
from shared import mongo
from shared.contracts.score_changes import CONTRACT as CHANGES
from shared.indexes import check_indexes, create_indexes
from shared.locks import create_locks
from shared.message_files import yaml_text
from shared.mongo import Database
from shared.schema_versions import Schema
from shared.settings import StartupError
from shared.sharding import BY_LEAD, BY_PARTITION, BY_ROW, ShardKey

SCHEMA = Schema("scoring")
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "leads": [
        IndexModel([("score", DESCENDING), ("_id", ASCENDING)], name="by_score"),
        # With the score, so that leads are counted and filtered by it without their rows.
        IndexModel(
            [("last_event_time", DESCENDING), ("_id", ASCENDING), ("score", ASCENDING)], name="by_last_event_time"
        ),
        # Decay uses this index, too: it reads all leads of a partition.
        IndexModel([("partition", ASCENDING), ("publication", ASCENDING)], name="by_partition"),
    ],
    "score_history": [
        IndexModel(
            [("partition", ASCENDING), ("lead_id", ASCENDING), ("sequence", ASCENDING)], name="by_sequence", unique=True
        ),
        # The partition comes last: if it came first, a query about many leads would look for each in each partition.
        IndexModel(
            [
                ("lead_id", ASCENDING),
                ("kind", ASCENDING),
                ("event_time", ASCENDING),
                ("_id", ASCENDING),
                ("partition", ASCENDING),
            ],
            name=BY_POSITION,
        ),
    ],
    "checkpoints": [
        IndexModel([("partition", ASCENDING), ("lead_id", ASCENDING), ("fact_count", ASCENDING)], name="by_facts")
    ],
    "scoring_models": [],
    "model_publications": [],
    "scoring_partitions": [],
    locks.NAME: [],
}
SHARD_KEYS: Mapping[str, ShardKey] = {
    "leads": BY_ROW,
    "score_history": BY_LEAD,
    "checkpoints": BY_LEAD,
    CHANGES.collection: BY_ROW,
    "scoring_partitions": BY_PARTITION,
    locks.NAME: BY_ROW,
}


def built_in() -> ScoringModel:
    """Returns the built-in model, version 1 in every new database, from its file."""
    text = resources.files("scoring_service").joinpath("built_in.yaml").read_text()
    return model_codec.read_model(yaml_text.read_yaml(text, pb.ScoringModel), 1)


async def migrate(database: Database, *, partitions: int, time_zone: str, engine: str, now: datetime) -> None:
    """Creates the collections, indexes and partitions of this service, and publishes the built-in model.

    Safe to run again. If the stored scores were computed by another engine, it publishes the model in force again:
    workers then fold every lead again in the background, and MODEL entries record the differences.
    """
    await SCHEMA.migrate(database)
    await create_indexes(database, INDEXES)
    first = Publication(1, 1, 0, Mode.RESCORE, now, "leadscore", "built in", engine)
    await _insert_if_new(database, "scoring_models", model_documents.write_model(built_in(), now))
    await _insert_if_new(
        database, "model_publications", model_documents.write_publication(first) | {"rolled_out": True}
    )
    rows = [{"_id": partition} for partition in range(partitions)]
    await create_locks(database["scoring_partitions"], rows, through="", time_zone=time_zone, publication=1)
    await create_locks(database[locks.NAME], chain.from_iterable(map(locks.rows_of, range(partitions))))
    await check_time_zone(database, time_zone)
    await ModelStore(database, engine).follow_engine(now)
    await check(database, time_zone=time_zone, engine=engine)


async def check(database: Database, *, time_zone: str, engine: str) -> None:
    """Checks at startup that the database has been migrated for this service, time zone and engine.

    Raises:
        StartupError: The version, the time zone or the engine differs, or a partition or an index is missing.
    """
    await SCHEMA.check(database)
    await check_time_zone(database, time_zone)
    await check_engine(database, engine)
    await check_indexes(database, INDEXES, service="scoring")


async def check_engine(database: Database, engine: str) -> None:
    """Checks that the stored scores were computed by the engine of this program.

    Raises:
        StartupError: They were not, or there is no model yet.
    """
    publications = await ModelStore(database, engine).publications()
    if not publications:
        raise StartupError("the database has no model: run migrate of the scoring service")
    followed = publications[-1].engine
    if followed != engine:
        raise StartupError(
            f"the database follows the scoring engine {followed}, this program is {engine}: stop the programs of the "
            "other version and run migrate of the scoring service, which folds all leads again in the background"
        )


async def check_time_zone(database: Database, time_zone: str) -> None:
    """Checks that dates begin in the time zone in which they began so far.

    Raises:
        StartupError: They do not, or there are no partitions yet.
    """
    row = await database["scoring_partitions"].find_one({"_id": 0})
    if row is None:
        raise StartupError("the database has no scoring partitions: run migrate of the scoring service")
    if row["time_zone"] != time_zone:
        raise StartupError(
            f"the database was created for {row['time_zone']}: set LEADSCORE_TIME_ZONE={row['time_zone']}, or move to "
            "a new database (docs/operations.md)"
        )


async def _insert_if_new(database: Database, collection: str, row: mongo.Document) -> None:
    await mongo.durable(database[collection]).update_one({"_id": row["_id"]}, {"$setOnInsert": row}, upsert=True)
