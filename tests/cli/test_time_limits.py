"""A dry run says the same of times as the ingest service."""

from datetime import UTC, datetime, timedelta

import pytest
from leadscore.ingest.v1 import ingest_pb2 as pb

from cli.events.times.limits import stored_time
from ingest_service.domain.errors import InvalidEvent
from ingest_service.domain.event import Event, checked
from shared import wire

NOW = datetime(2026, 11, 28, 10, 20, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = (
    NOW - timedelta(days=400),
    NOW,
    NOW + timedelta(minutes=5),
    NOW + timedelta(minutes=5, milliseconds=1),
    NOW + timedelta(days=1),
    EPOCH,
    EPOCH + timedelta(seconds=7),
    datetime(1971, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, tzinfo=UTC),
)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("sent", [None, *TIMES])
@pytest.mark.parametrize("historical", [False, True])
def test_times_are_judged_as_by_the_service(time: datetime, sent: datetime | None, historical: bool) -> None:
    message = pb.Event(event_time=wire.to_timestamp(time), historical=historical)
    if sent is not None:
        message.sent_time.CopyFrom(wire.to_timestamp(sent))
    event = Event("1", "ada", "signup", time, {}, "", historical=historical, sent_time=sent)
    assert _said(message) == _answered(event)


def _said(event: pb.Event) -> datetime | str:
    try:
        return stored_time(event, NOW)
    except ValueError as error:
        return str(error)


def _answered(event: Event) -> datetime | str | None:
    try:
        return checked(event, NOW).event_time
    except InvalidEvent as error:
        return str(error)
