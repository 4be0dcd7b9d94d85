"""Lists of everything: the entries of all leads, and all accepted events."""

from dataclasses import dataclass
from datetime import datetime

from scoring_service.domain.entry import Entry, EntryKind


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The event times in [start, end); None means that there is no bound."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """The entries to list: those of some kinds (empty: of all) with an event time in a range."""

    kinds: frozenset[EntryKind] = frozenset()
    times: TimeRange = TimeRange()


@dataclass(frozen=True, slots=True)
class LeadEntry:
    """An entry with the lead that it belongs to."""

    lead_id: str
    entry: Entry
