"""What a person may ask for: to be forgotten, and to be told what is known; and how long details are kept."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from admin_service.domain.erasure import NothingKnown
from admin_service.store.lead_export import LeadExport, StoredDocument
from admin_service.usecases.compaction import Compaction
from admin_service.usecases.erasures import Erasing


@dataclass(frozen=True, slots=True)
class Privacy:
    """Erases leads, exports what is known of them, and removes the properties of old events."""

    erasing: Erasing
    compaction: Compaction
    exports: LeadExport

    async def export(self, lead_id: str) -> AsyncIterator[StoredDocument]:
        """Yields every document about a lead.

        Raises:
            NothingKnown: There is none.
        """
        is_known = False
        async for document in self.exports.documents(lead_id):
            is_known = is_known or document.collection != "audit_log"  # the export itself has a record there
            if is_known:
                yield document
        if not is_known:
            raise NothingKnown
