"""The events of a benchmark: the same for leadscore and for the reference."""

import gzip
import json
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from leadscore.ingest.v1 import ingest_pb2

from shared import wire

KINDS = ("page_view", "download", "signup", "email_click")
EVENTS_A_MILLISECOND = 20
"""All event times of a load lie within a second or two before it is sent, so that none is late after the last load."""
FUNNEL_LEADS = 7_455
FUNNEL_SIZES = ((0.0, 3), (0.25, 3), (0.5, 10), (0.75, 32), (0.9, 47), (0.99, 87), (1.0, 175))
"""Events per lead of the BPI Challenge 2012, as quantiles."""
FUNNEL_KINDS = (
    *("W_Nabellen offertes.COMPLETE", "W_Nabellen offertes.START", "W_Completeren aanvraag.COMPLETE"),
    *("W_Completeren aanvraag.START", "A_PARTLYSUBMITTED", "A_PREACCEPTED", "O_SENT", "A_APPROVED"),
)
FUNNEL_BEGIN = datetime(2011, 10, 1, tzinfo=UTC)
FUNNEL_DAYS = 92


class Event(NamedTuple):
    """One event; `event_time` is UTC with milliseconds."""

    event_id: str
    lead_id: str
    event_type: str
    event_time: datetime
    properties: dict[str, Any]

    def to_message(self) -> ingest_pb2.Event:
        """Returns the event as the API takes it."""
        message = ingest_pb2.Event(
            event_id=self.event_id, lead_id=self.lead_id, event_type=self.event_type, source="website"
        )
        message.event_time.CopyFrom(wire.to_timestamp(self.event_time))
        message.properties.update(self.properties)
        return message


@dataclass(frozen=True, slots=True)
class Load:
    """Events that several clients send, each a part of them.

    All events of a lead belong to the same part and are in order of time.
    """

    name: str
    """The prefix of all ids of the run; events with another name are new events."""
    events: int
    leads: int
    population: str = "lead"
    """The prefix of the ids of leads. Loads with the same population share their leads."""

    def again(self) -> "Load":
        """Returns as many new events of the same leads."""
        return replace(self, name=uuid.uuid4().hex[:8])

    def part(self, number: int, parts: int) -> list[Event]:
        """Returns the events of one client."""
        chance = random.Random(f"{self.name}-{number}")
        began = wire.now() - timedelta(milliseconds=self.events // EVENTS_A_MILLISECOND)
        return [
            Event(
                f"{self.name}-{each:07}",
                f"{self.population}-{chance.randrange(number, self.leads, parts)}",
                chance.choice(KINDS),
                began + timedelta(milliseconds=each // EVENTS_A_MILLISECOND),
                properties(each),
            )
            for each in range(number, self.events, parts)
        ]


@dataclass(frozen=True, slots=True)
class Funnel:
    """The events of a file in random order; without a file, made-up events of the shape of the BPI Challenge 2012."""

    name: str
    leads: int = FUNNEL_LEADS
    path: Path | None = None

    def part(self, number: int, parts: int) -> list[Event]:
        """Returns the events of one client."""
        return self.all()[number::parts]

    def all(self) -> list[Event]:
        """Returns all events, shuffled."""
        events = list(_read(self.path, self.name) if self.path else _make_up(self.name, self.leads))
        random.Random(1).shuffle(events)
        return events


def properties(number: int) -> dict[str, Any]:
    """Returns the properties of an event."""
    return {"url": f"https://shop.example/products/{number % 97}", "duration": float(number % 60)}


def load(name: str, events: int, leads: int, population: str = "lead") -> Load:
    """Returns new events; `name` is only a part of their ids."""
    return Load(f"{name}-{uuid.uuid4().hex[:8]}", events, leads, population)


def funnel_sizes(leads: int) -> Sequence[int]:
    """Returns how many events each lead of a made-up funnel has."""
    return [_interpolate((number + 0.5) / leads) for number in range(leads)]


def _interpolate(share: float) -> int:
    for (low, few), (high, many) in pairwise(FUNNEL_SIZES):
        if share <= high:
            return round(few + (many - few) * (share - low) / (high - low))
    return FUNNEL_SIZES[-1][1]


def _make_up(name: str, leads: int) -> Iterator[Event]:
    chance = random.Random(2)
    for lead, size in enumerate(funnel_sizes(leads)):
        time = FUNNEL_BEGIN + timedelta(minutes=chance.randrange(FUNNEL_DAYS * 24 * 60))
        for number in range(size):
            kind = chance.choice(FUNNEL_KINDS) if number else "A_SUBMITTED"
            event_id, properties = f"{name}-{lead}-{number:04}", {"seq": float(number), "resource": "112"}
            yield Event(event_id, f"{name}-{lead}", kind, time, properties)
            time += timedelta(milliseconds=round(chance.expovariate(1 / 36_000_000)))


def _read(path: Path, name: str) -> Iterator[Event]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in lines:
            row = json.loads(line)
            time = datetime.fromisoformat(row["occurred_at"])
            yield Event(
                f"{name}-{row['event_id']}", f"{name}-{row['lead_id']}", row["event_type"], time, row["properties"]
            )
