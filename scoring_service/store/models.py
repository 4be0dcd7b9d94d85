"""Stores models and publications. They never change, so each is read once and cached."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from pymongo import DESCENDING
from pymongo.errors import DuplicateKeyError

from scoring_service.domain.model import ModelNotFound, ScoringModel
from scoring_service.domain.timeline import EngineMismatch, Mode, Publication, StoredModel, Timeline
from scoring_service.store import locks
from scoring_service.store import model_documents as documents
from shared import logs
from shared.mongo import Database, durable, transact
from shared.rpc.pagination import Cursor

SWITCH_SECONDS = 8.0
"""Longest time to switch one partition to a publication, including the wait for other transactions on it."""
_LOG = logs.get(__name__)


class ModelStore:
    """Stores models and publications, and builds timelines from them.

    `engine` is the engine of this program; it refuses timelines of other engines.
    """

    def __init__(self, database: Database, engine: str) -> None:
        self._engine = engine
        self._database = database
        self._models = database["scoring_models"]
        self._publications = database["model_publications"]
        self._partitions = database["scoring_partitions"]
        self._read: dict[int, StoredModel] = {}
        self._timelines: dict[int, Timeline] = {}

    async def create(self, model: Callable[[int], ScoringModel], create_time: datetime) -> StoredModel:
        """Stores a model as the next version; `model` is called with the version number."""
        while True:
            newest = await self._models.find_one({}, {"_id": 1}, sort=[("_id", DESCENDING)])
            stored = StoredModel(model(newest["_id"] + 1 if newest else 1), create_time)
            try:
                await durable(self._models).insert_one(documents.write_model(stored.model, create_time))
            except DuplicateKeyError:
                continue  # another process took this version
            return stored

    async def get(self, version: int) -> StoredModel:
        """Returns a version.

        Raises:
            ModelNotFound: The version does not exist.
        """
        if version not in self._read:
            row = await self._models.find_one({"_id": version})
            if row is None:
                raise ModelNotFound(version)
            self._read[version] = documents.read_model(row)
        return self._read[version]

    async def page(self, after: Cursor, limit: int) -> list[StoredModel]:
        """Returns one page of versions, newest first; `after` is the last version of the previous page."""
        beyond = {"_id": {"$lt": after[0]}} if after else {}
        cursor = self._models.find(beyond).sort("_id", DESCENDING).limit(limit)
        return [documents.read_model(row) async for row in cursor]

    async def publications(self) -> list[Publication]:
        """Returns all publications, oldest first; there is at least one."""
        return [documents.read_publication(row) async for row in self._publications.find().sort("_id")]

    async def publish(self, publication: Publication) -> bool:
        """Stores a publication; returns False if its number is taken."""
        try:
            await durable(self._publications).insert_one(documents.write_publication(publication))
        except DuplicateKeyError:
            return False
        return True

    async def switch(self, publication: Publication) -> None:
        """Switches every partition to a publication, unless it follows a later one already.

        Every other transaction on a partition writes its row or one of its locks, so this waits for those in progress,
        and later ones see the publication.
        """
        behind = {"publication": {"$lt": publication.number}}

        async def follow(partition: int) -> None:
            await locks.take_all(self._database, partition)
            await self._partitions.update_one(
                {"_id": partition, **behind}, {"$set": {"publication": publication.number}}
            )

        async for row in self._partitions.find(behind, {"_id": 1}):
            await transact(self._database, partial(follow, row["_id"]), seconds=SWITCH_SECONDS)

    async def reached(self, publication: Publication) -> set[int]:
        """Returns the partitions whose leads a publication has all reached."""
        row = await self._publications.find_one({"_id": publication.number}, {"reached": 1})
        return set(row.get("reached", ())) if row else set()

    async def reach(self, publication: Publication, partition: int) -> None:
        """Records that a publication has reached every lead of a partition."""
        # Not in the row of the partition, because that would conflict with drains.
        await durable(self._publications).update_one({"_id": publication.number}, {"$addToSet": {"reached": partition}})

    async def rolled_out(self, publication: Publication) -> None:
        """Records that a publication, and with it all earlier ones, has reached every lead."""
        await durable(self._publications).update_many(
            {"_id": {"$lte": publication.number}}, {"$set": {"rolled_out": True}}
        )

    async def unfinished(self) -> Publication | None:
        """Returns the last publication if it has not reached every lead yet."""
        row = await self._publications.find_one({}, sort=[("_id", DESCENDING)])
        return documents.read_publication(row) if row and not row["rolled_out"] else None

    async def follow_engine(self, now: datetime) -> None:
        """Publishes the model in force again, for all events, if another engine made the last publication."""
        while (last := (await self.publications())[-1]).engine != self._engine:
            publication = Publication(
                number=last.number + 1,
                version=last.version,
                base_version=last.version,
                mode=Mode.REFOLD,
                publish_time=max(now, last.publish_time + timedelta(milliseconds=1)),
                actor="leadscore",
                note=f"scoring engine {last.engine} became {self._engine}",
                engine=self._engine,
                quiet=True,  # an update of the program is no news about any lead
            )
            if await self.publish(publication):
                _LOG.warning("engine changed; all leads will be folded again", before=last.engine, after=self._engine)
                await self.switch(publication)

    async def timeline(self, number: int | None = None) -> Timeline:
        """Returns the timeline up to a publication; None means the last one.

        Raises:
            EngineMismatch: Another engine made the publication.
        """
        if number is None:
            last = await self._publications.find_one({}, {"_id": 1}, sort=[("_id", DESCENDING)])
            number = last["_id"] if last else 0
        if number not in self._timelines:
            publications = [each for each in await self.publications() if each.number <= number]
            if publications and publications[-1].engine != self._engine:
                raise EngineMismatch(publications[-1].engine, self._engine)
            models = {each.version: (await self.get(each.version)).model for each in publications}
            self._timelines[number] = Timeline(publications, models.__getitem__)
        return self._timelines[number]
