"""`Batcher` against a real system whose ingest service dies and comes back."""

from collections.abc import Iterator

import pytest
from leadscore.client import Client, EventsRejected, FlushTimeout, LeadscoreError, QueueFull, Targets

from testkit.system import System
from tests.clients.conftest import PATIENT
from tests.clients.test_sync import scored


@pytest.fixture
def client(targets: Targets) -> Iterator[Client]:
    with Client(targets, retry=PATIENT) as client:
        yield client


def test_a_batcher_sends_everything(client: Client) -> None:
    with client.batch() as batch:
        for number in range(1200):
            batch.track(f"lead-{number % 10}", "page_view", event_id=f"many-{number}")
        batch.identify("lead-3", name="Three")
    assert scored(client, "lead-3", 600).attributes["name"] == "Three"


def test_rejected_events_are_raised_and_the_others_stored(client: Client) -> None:
    batch = client.batch()
    batch.track("", "page_view", event_id="no-lead")
    batch.track("fay", "signup")
    with pytest.raises(EventsRejected) as error:
        batch.flush()
    (rejection,) = error.value.rejections
    assert (rejection.event.event_id, rejection.reason, rejection.field) == ("no-lead", "EVENT_INVALID", "lead_id")
    batch.close()
    scored(client, "fay", 20)
    with pytest.raises(LeadscoreError, match="closed"):
        batch.track("fay", "signup")


def test_the_queue_is_bounded_and_nothing_in_it_is_lost_while_ingest_is_away(system: System, client: Client) -> None:
    system.kill("ingest")
    batch = client.batch(max_queued=3, block_seconds=0.1)
    for number in range(3):
        batch.track("gil", "page_view", event_id=f"gil-{number}")
    with pytest.raises(QueueFull):
        batch.track("gil", "page_view")
    with pytest.raises(FlushTimeout) as late:
        batch.flush(0.1)
    assert {event.event_id for event in late.value.unsent} == {"gil-0", "gil-1", "gil-2"}
    system.start("ingest")
    batch.close(seconds=60)
    assert scored(client, "gil", 15).event_count == 3
