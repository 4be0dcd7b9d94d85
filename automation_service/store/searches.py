"""The progress of the search for inactive leads, in one row."""

from dataclasses import asdict

from pymongo.errors import DuplicateKeyError

from automation_service.domain.inactivity import Search
from automation_service.store.schema import SEARCHES
from shared import mongo
from shared.mongo import Database, Document

_ROW: Document = {"_id": "inactivity"}


class MongoSearches:
    """Implements `Searches` on MongoDB."""

    def __init__(self, database: Database) -> None:
        self._searches = mongo.durable(database[SEARCHES])

    async def last(self) -> Search | None:
        """Returns the last search that was begun."""
        row = await self._searches.find_one(_ROW, {"_id": 0})
        return Search(**row) if row else None

    async def put(self, search: Search, before: Search | None) -> None:
        """Stores a search; see `Searches`."""
        if before is not None:
            await self._searches.replace_one(_ROW | asdict(before), asdict(search))
            return
        try:
            await self._searches.insert_one(_ROW | asdict(search))
        except DuplicateKeyError:
            return  # another worker was faster
