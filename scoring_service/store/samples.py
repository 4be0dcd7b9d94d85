"""Random samples of what is stored, for checks that need not see everything."""

from collections.abc import Mapping
from typing import Any

from scoring_service.domain.model import Event
from scoring_service.store import documents
from shared.mongo import Database, Document


class SampleReader:
    """Reads random rows. If there are at most as many as asked for, it reads all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(self, entries: int) -> list[Event]:
        """Returns the scored events among a number of random entries of the history."""
        pipeline: list[Document] = [{"$sample": {"size": entries}}, {"$match": {"kind": "EVENT"}}]
        found = await (await self._database["score_history"].aggregate(pipeline)).to_list()
        return [Event(row["_id"], row["event_type"], row["event_time"], row.get("properties", {})) for row in found]

    async def attributes(self, leads: int) -> list[Mapping[str, Any]]:
        """Returns the attributes of a number of random leads."""
        pipeline: list[Document] = [{"$sample": {"size": leads}}]
        rows = await (await self._database["leads"].aggregate(pipeline)).to_list()
        return [documents.read_lead(row).state.attributes.values for row in rows]
