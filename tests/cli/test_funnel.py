"""The funnel of the demo is always the same, and like a real one."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from leadscore.ingest.v1 import ingest_pb2 as pb

from cli.local.funnel import DAYS, favourite, make_events
from ingest_service.domain.event import Event, checked
from shared import wire

MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def times(events: list[pb.Event]) -> list[datetime]:
    return [wire.to_time(event.event_time) for event in events]


def test_the_same_seed_and_time_give_the_same_events() -> None:
    assert make_events(1, MONDAY_NOON) == make_events(1, MONDAY_NOON)
    assert make_events(1, MONDAY_NOON) != make_events(2, MONDAY_NOON)


@pytest.mark.parametrize("hours", range(0, 7 * 24, 13))
def test_at_any_time_of_the_week(hours: int) -> None:
    now = MONDAY_NOON + timedelta(hours=hours)
    events = make_events(42, now)
    assert len({event.lead_id for event in events}) == 300
    assert 5_000 <= len(events) <= 7_000
    assert len({event.event_id for event in events}) == len(events)
    assert times(events) == sorted(times(events))
    assert now - timedelta(days=DAYS) < times(events)[0]
    assert times(events)[-1] <= now
    active = {
        event.lead_id for event, time in zip(events, times(events), strict=True) if time > now - timedelta(days=1)
    }
    assert 20 <= len(active) <= 120
    assert favourite(events) in active


def test_most_visits_are_on_weekdays_in_office_hours() -> None:
    usual = [time.weekday() < 5 and 8 <= time.hour < 18 for time in times(make_events(42, MONDAY_NOON))]
    assert sum(usual) > 0.9 * len(usual)
    days = Counter(time.weekday() for time in times(make_events(42, MONDAY_NOON)))
    assert all(0.1 < days[day] / len(usual) < 0.35 for day in range(5))


def test_every_lead_tells_who_it_is_and_some_go_far() -> None:
    events = make_events(42, MONDAY_NOON)
    kinds = Counter(event.event_type for event in events)
    assert kinds["identify"] == 300
    assert kinds["page_view"] > kinds["signup"] > kinds["demo_request"] > kinds["contract_signed"] > 0
    assert kinds["unsubscribe"] > 0
    person = next(event for event in events if event.event_type == "identify")
    assert {"name", "email", "title", "company", "company_size", "country"} == set(person.properties.fields)


def test_the_ingest_service_takes_all_of_them() -> None:
    for event in make_events(42, MONDAY_NOON):
        time = wire.to_time(event.event_time)
        properties = wire.to_dict(event.properties)
        checked(Event(event.event_id, event.lead_id, event.event_type, time, properties, event.source), MONDAY_NOON)
