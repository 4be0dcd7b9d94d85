"""A made-up B2B funnel: 300 leads with about 6,000 events over the last 90 days. Seed and time determine all of it.

Five personas visit the site on weekdays in office hours, and then buy or leave. Some are still active today.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from leadscore.ingest.v1 import ingest_pb2 as pb

from shared import wire

DAYS = 90
FIRST_HOUR, LAST_HOUR = 8, 18
FRIDAY = 4
SOURCE = "demo"

_COMPANIES = (
    "Acorn Freight", "Baltic Foods", "Cedar Health", "Delta Robotics", "Ember Energy", "Fjord Analytics",
    "Granite Bank", "Harbor Insurance", "Iris Optics", "Juniper Retail", "Kestrel Air", "Lumen Labs", "Meridian Steel",
    "Nordlicht Media", "Orchard Pharma", "Pioneer Rail", "Quarry Software", "Summit Legal", "Tidewater Ports",
)  # fmt: skip
_FIRST = ("Ada", "Björn", "Chloé", "Dmitri", "Elena", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Karin", "Liam")
_LAST = ("Almeida", "Brandt", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jansen", "Kowalski")
_TITLES = ("Head of Sales", "CTO", "Marketing Manager", "Operations Director", "Data Engineer", "Buyer", "Founder")
_COUNTRIES = ("DE", "FR", "GB", "NL", "PL", "SE", "US")
_PAGES = ("/", "/product", "/blog/lead-scoring", "/customers", "/docs", "/integrations", "/about")
_PAPERS = ("buyers-guide.pdf", "roi-calculator.xlsx", "security-whitepaper.pdf", "case-study.pdf")


@dataclass(frozen=True, slots=True)
class Persona:
    """A kind of lead: how many there are, their numbers of events and of active days, and the milestones they reach."""

    name: str
    leads: int
    events: tuple[int, int]
    days: tuple[int, int]
    milestones: tuple[str, ...]
    active_share: float
    """The share of the leads that is still active at the end."""


PERSONAS = (
    Persona("tyre-kicker", 120, (2, 9), (1, 10), (), 0.05),
    Persona("nurtured", 95, (18, 38), (30, 80), ("signup",), 0.25),
    Persona("hot", 45, (24, 44), (7, 30), ("signup", "demo_request"), 0.6),
    Persona("customer", 20, (30, 55), (30, 75), ("signup", "demo_request", "contract_signed"), 0.4),
    Persona("unsubscriber", 20, (8, 18), (10, 40), ("signup", "unsubscribe"), 0.0),
)

_BROWSING = {"page_view": 62, "email_click": 17, "download": 11, "pricing_view": 10}


def make_events(seed: int, now: datetime) -> list[pb.Event]:
    """Returns the events of the funnel, sorted by time. An event id is the lead id and a number.

    Args:
        seed: Determines the funnel, together with `now`.
        now: The end of the funnel, timezone-aware, in UTC; no event is later.
    """
    dice = random.Random(seed)  # noqa: S311 (no secret)
    events: list[pb.Event] = []
    number = 0
    for persona in PERSONAS:
        for _ in range(persona.leads):
            number += 1
            events += _journey(dice, persona, f"lead-{number:03}", now)
    return sorted(events, key=lambda event: (wire.to_time(event.event_time), event.event_id))


def favourite(events: Sequence[pb.Event]) -> str:
    """Returns the id of the most active lead of the last day that asked for a demo and has not signed."""
    end = wire.to_time(events[-1].event_time)
    leads = {event.lead_id for event in events if event.event_type == "demo_request"}
    leads -= {event.lead_id for event in events if event.event_type == "contract_signed"}
    recent = [event.lead_id for event in events if wire.to_time(event.event_time) > end - timedelta(days=1)]
    return max(sorted(leads), key=recent.count)


def _journey(dice: random.Random, persona: Persona, lead_id: str, now: datetime) -> list[pb.Event]:
    times = _times(dice, persona, now)
    kinds = dice.choices(list(_BROWSING), list(_BROWSING.values()), k=len(times))
    kinds[0] = "page_view"
    kinds[1] = "identify"
    # Milestones are spread evenly, in order; the last one is the last event.
    for index, milestone in enumerate(persona.milestones, start=1):
        kinds[2 + (len(times) - 3) * index // len(persona.milestones)] = milestone
    person = _person(dice)
    return [
        pb.Event(
            event_id=f"{lead_id}-{index:03}",
            lead_id=lead_id,
            event_type=kind,
            event_time=wire.to_timestamp(time),
            properties=person if kind == "identify" else _details(dice, kind),
            source=SOURCE,
        )
        for index, (time, kind) in enumerate(zip(times, kinds, strict=True))
    ]


def _times(dice: random.Random, persona: Persona, now: datetime) -> list[datetime]:
    """Returns the times of one lead's events, in order; at least three."""
    count = max(3, dice.randint(*persona.events))
    days = dice.randint(*persona.days)
    is_active = dice.random() < persona.active_share
    # Inactive leads had their last event at least two days ago.
    last_day = 0 if is_active else dice.randint(2, max(2, DAYS - days))
    times = [_office_time(dice, now, last_day + dice.randint(0, days)) for _ in range(count)]
    if is_active:
        for index in range(min(count - 2, dice.randint(1, 6))):
            times[index] = now - timedelta(milliseconds=dice.randint(60_000, 20 * 3_600_000))
    return sorted(times)


def _office_time(dice: random.Random, now: datetime, days_ago: int) -> datetime:
    day = now - timedelta(days=min(days_ago, DAYS - 7))
    if day.weekday() > FRIDAY:
        day -= timedelta(days=day.weekday() - dice.randint(0, FRIDAY))
    opening = day.replace(hour=FIRST_HOUR, minute=0, second=0, microsecond=0)
    time = opening + timedelta(milliseconds=dice.randrange((LAST_HOUR - FIRST_HOUR) * 3_600_000))
    # The time may be later today, so use the same time on the last working day.
    while time > now or time.weekday() > FRIDAY:
        time -= timedelta(days=1)
    return time


def _person(dice: random.Random) -> dict[str, object]:
    first, last, company = dice.choice(_FIRST), dice.choice(_LAST), dice.choice(_COMPANIES)
    return {
        "name": f"{first} {last}",
        "email": f"{first}.{last}@{company.replace(' ', '-')}.example".lower(),
        "title": dice.choice(_TITLES),
        "company": company,
        "company_size": dice.choice((20, 80, 250, 900, 4_000)),
        "country": dice.choice(_COUNTRIES),
    }


def _details(dice: random.Random, kind: str) -> dict[str, object]:
    match kind:
        case "page_view":
            return {"url": dice.choice(_PAGES), "seconds": dice.randint(5, 240)}
        case "pricing_view":
            return {"url": "/pricing", "seconds": dice.randint(20, 400)}
        case "download":
            return {"file": dice.choice(_PAPERS)}
        case "email_click":
            return {"campaign": f"newsletter-{dice.randint(1, 12):02}"}
        case "contract_signed":
            return {"amount_eur": dice.randrange(8_000, 90_000, 500)}
        case _:
            return {}
