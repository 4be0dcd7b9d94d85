"""The rows of entries and checkpoints, each with the partition of its lead."""

from collections.abc import Iterable

from scoring_service.domain.lead import LeadUpdate
from scoring_service.domain.lead_state import LeadState
from scoring_service.store import documents
from shared.mongo import Document
from shared.partitions import Partitions


def entry_rows(partitions: Partitions, updates: Iterable[LeadUpdate]) -> list[Document]:
    """Returns the rows of the entries of some updates."""
    return [
        documents.write_entry(each.after.lead_id, partition, entry)
        for each in updates
        for partition in [partitions.of(each.after.lead_id)]
        for entry in each.entries
    ]


def checkpoint_rows(partitions: Partitions, lead_id: str, states: Iterable[LeadState]) -> list[Document]:
    """Returns the rows of the checkpoints of a lead."""
    partition = partitions.of(lead_id)
    return [documents.write_checkpoint(lead_id, partition, state) for state in states]
