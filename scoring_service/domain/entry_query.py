"""A list of the entries of all leads."""

from dataclasses import dataclass
from datetime import datetime

from scoring_service.domain.entry import Entry, EntryKind


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """The entries to list: those of some kinds (empty: of all) with an event time in [from_time, until_time)."""

    kinds: frozenset[EntryKind] = frozenset()
    from_time: datetime | None = None
    until_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class LeadEntry:
    """An entry with the lead that it belongs to."""

    lead_id: str
    entry: Entry
