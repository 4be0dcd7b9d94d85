"""The events of leads, as the history has them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from leadscore.scoring.v1 import scoring_pb2 as pb

from shared import wire

KINDS = (pb.ENTRY_KIND_EVENT, pb.ENTRY_KIND_RETRACTION)
"""The kinds of entries that `histories` needs."""
_RETRACTION = "retraction:"


class Seen(NamedTuple):
    """An event of a lead."""

    event_type: str
    time: datetime
    properties: Mapping[str, Any]


def histories(entries: Iterable[pb.ScoreEntry]) -> Iterator[list[Seen]]:
    """Yields the events of each lead, in the order of their times, without those that were retracted.

    `entries` are those of the kinds `KINDS`, the entries of each lead one after the other.
    """
    for _, found in groupby(entries, lambda entry: entry.lead_id):
        events, retracted = dict[str, Seen](), set[str]()
        for entry in found:
            if entry.kind == pb.ENTRY_KIND_RETRACTION:
                retracted.add(entry.event_id.removeprefix(_RETRACTION))
            else:
                seen = Seen(entry.event_type, wire.to_time(entry.event_time), wire.to_dict(entry.properties))
                events[entry.event_id] = seen
        yield sorted(
            (seen for event_id, seen in events.items() if event_id not in retracted), key=lambda seen: seen.time
        )
