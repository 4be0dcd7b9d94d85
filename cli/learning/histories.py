"""The events of leads, as the history has them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from leadscore.scoring.v1 import scoring_pb2 as pb

from shared import wire

KINDS = (pb.ENTRY_KIND_EVENT, pb.ENTRY_KIND_RETRACTION)
"""The kinds of entries that `histories` needs."""
_RETRACTION = "retraction:"
_NO_PROPERTIES: Mapping[str, Any] = {}


class Seen(NamedTuple):
    """An event of a lead. `recorded` is when it became known, if that matters."""

    event_type: str
    time: datetime
    properties: Mapping[str, Any]
    recorded: datetime = wire.EPOCH

    def known_at(self, landmark: datetime) -> bool:
        """Whether it had happened and was recorded before a landmark."""
        return self.time < landmark and self.recorded < landmark


class History(NamedTuple):
    """A lead with its events, in the order of their times."""

    lead_id: str
    events: list[Seen]


def histories(
    entries: Iterable[pb.ScoreEntry], with_properties: Collection[str] = (), *, as_known: bool = False
) -> Iterator[History]:
    """Yields the history of each lead, without the events that were retracted.

    `entries` are those of the kinds `KINDS`, the entries of each lead one after the other. Only events of the types
    `with_properties` keep their properties, which take longer to read than all else. `as_known`: when events were
    recorded matters.
    """
    for lead_id, found in groupby(entries, attrgetter("lead_id")):
        events, retracted = dict[str, Seen](), set[str]()
        for entry in found:
            if entry.kind == pb.ENTRY_KIND_RETRACTION:
                retracted.add(entry.event_id.removeprefix(_RETRACTION))
            else:
                properties = wire.to_dict(entry.properties) if entry.event_type in with_properties else _NO_PROPERTIES
                recorded = wire.to_time(entry.record_time) if as_known else wire.EPOCH
                events[entry.event_id] = Seen(entry.event_type, wire.to_time(entry.event_time), properties, recorded)
        kept = (seen for event_id, seen in events.items() if event_id not in retracted)
        yield History(lead_id, sorted(kept, key=attrgetter("time")))
