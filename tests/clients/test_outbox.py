"""The queue of a batcher: what is sent next, and what becomes of each outcome."""

import pytest
from google.protobuf.duration_pb2 import Duration
from leadscore.client import InvalidArgument
from leadscore.client.outbox import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Outbox
from leadscore.ingest.v1 import ingest_pb2 as pb

ACCEPTED = pb.EventOutcome(outcome=pb.OUTCOME_ACCEPTED)
RETRY_LATER = pb.EventOutcome(outcome=pb.OUTCOME_RETRY_LATER, retry_delay=Duration(seconds=5))
REJECTED = pb.EventOutcome(
    outcome=pb.OUTCOME_REJECTED,
    reason=pb.ERROR_REASON_EVENT_INVALID,
    field="event_time",
    message="event_time is missing",
)


def outbox_of(*event_ids: str) -> Outbox:
    outbox = Outbox(1000)
    for event_id in event_ids:
        outbox.add(pb.Event(event_id=event_id))
    return outbox


def ids(events: list[pb.Event]) -> list[str]:
    return [event.event_id for event in events]


def test_an_event_that_the_server_defers_is_sent_again_when_it_is_due() -> None:
    outbox = outbox_of("1", "2")
    outbox.take_batch(now=0)
    outbox.settle([RETRY_LATER, ACCEPTED], now=10)
    assert (len(outbox), outbox.take_batch(now=14), outbox.seconds_until_due(now=14)) == (1, [], 1)
    assert ids(outbox.take_batch(now=15)) == ["1"]
    outbox.settle([ACCEPTED], now=15)
    assert (len(outbox), outbox.seconds_until_due(now=15)) == (0, None)


def test_events_that_are_not_deferred_are_sent_meanwhile() -> None:
    outbox = outbox_of("1")
    outbox.take_batch(now=0)
    outbox.settle([RETRY_LATER], now=0)
    outbox.add(pb.Event(event_id="2"))
    assert ids(outbox.take_batch(now=1)) == ["2"]


def test_a_batch_whose_outcome_is_unknown_is_sent_again_first() -> None:
    outbox = outbox_of("1", "2")
    outbox.take_batch(now=0)
    outbox.add(pb.Event(event_id="3"))
    outbox.put_back()
    assert ids(outbox.take_batch(now=0)) == ["1", "2", "3"]


def test_rejections_name_the_event_and_are_taken_once() -> None:
    outbox = outbox_of("1")
    outbox.take_batch(now=0)
    outbox.settle([REJECTED], now=0)
    (rejection,) = outbox.take_rejections()
    assert (rejection.event.event_id, rejection.reason, rejection.field) == ("1", "EVENT_INVALID", "event_time")
    assert (len(outbox), outbox.take_rejections()) == (0, [])


def test_a_batch_keeps_to_the_limits_of_the_server() -> None:
    outbox = outbox_of(*map(str, range(MAX_BATCH_EVENTS + 1)))
    assert len(outbox.take_batch(now=0)) == MAX_BATCH_EVENTS
    large = Outbox(10)
    for number in range(3):
        large.add(pb.Event(event_id=str(number), source="x" * (MAX_BATCH_BYTES // 2 - 20)))
    assert len(large.take_batch(now=0)) == 2
    with pytest.raises(InvalidArgument):
        large.add(pb.Event(source="x" * MAX_BATCH_BYTES))


def test_events_in_flight_and_deferred_count_toward_the_bound() -> None:
    outbox = Outbox(2)
    outbox.add(pb.Event(event_id="1"))
    outbox.take_batch(now=0)
    outbox.settle([RETRY_LATER], now=0)
    outbox.add(pb.Event(event_id="2"))
    assert outbox.is_full
    outbox.take_batch(now=0)
    assert outbox.is_full
    assert sorted(ids(outbox.unacknowledged())) == ["1", "2"]
