"""Lists all entries and all accepted events, for exports."""

from dataclasses import dataclass

from scoring_service.domain.entry_query import EntryQuery, LeadEntry, TimeRange
from scoring_service.store.exports import ExportReader
from shared.mongo import Document
from shared.rpc.pagination import Cursor


@dataclass(frozen=True, slots=True)
class Export:
    """Lists what is exported; see `ExportReader`."""

    reader: ExportReader

    async def entries(self, query: EntryQuery, *, after: Cursor, limit: int) -> tuple[list[LeadEntry], bool]:
        """Returns one page of entries of all leads, and whether there may be more."""
        return await self.reader.entries(query, after=after, limit=limit)

    async def events(self, times: TimeRange, *, after: Cursor, limit: int) -> tuple[list[Document], bool]:
        """Returns one page of rows of the inbox `events`, with their properties, and whether there may be more."""
        return await self.reader.events(times, after=after, limit=limit)
