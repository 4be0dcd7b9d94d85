"""`Client` against a real system."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import pytest
from leadscore.client import Client, Conflict, InvalidArgument, NotFound, RetryPolicy, Targets, Unavailable
from leadscore.intelligence.v1 import intelligence_pb2

from testkit.system import System
from testkit.waiting import PATIENCE_SECONDS
from tests.clients.conftest import PATIENT


@pytest.fixture
def client(targets: Targets) -> Iterator[Client]:
    with Client(targets, retry=PATIENT) as client:
        yield client


def scored(client: Client, lead_id: str, score: int) -> intelligence_pb2.LeadIntelligence:
    """Waits until a lead has a score, and returns the lead."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            lead = client.lead(lead_id)
        except NotFound:
            lead = intelligence_pb2.LeadIntelligence()
        if lead.score == score:
            return lead
        assert time.monotonic() < ends, f"{lead_id} has {lead.score} points, expected {score}"
        time.sleep(0.05)


def test_a_tracked_event_shows_in_the_score_and_in_the_history(client: Client) -> None:
    client.identify("ada", company="Analytical Engines")
    receipt = client.track("ada", "demo_request", properties={"product": "Difference Engine"}, source="website")
    lead = scored(client, "ada", 50)
    assert (lead.stage, lead.attributes["company"]) == ("hot", "Analytical Engines")
    assert not receipt.duplicate
    assert [entry.delta for entry in client.history("ada")] == [0, 50]
    assert next(client.history("ada", newest_first=True)).event_id == receipt.event_id


def test_an_event_sent_twice_under_one_id_counts_once(client: Client) -> None:
    seen = datetime.now(UTC)
    receipts = [client.track("bob", "signup", event_id="bob-1", event_time=seen) for _ in range(2)]
    assert [receipt.duplicate for receipt in receipts] == [False, True]
    assert scored(client, "bob", 20).event_count == 1


def test_an_event_of_the_past_can_be_marked_as_historical(client: Client) -> None:
    client.track("hal", "signup", historical=True)
    scored(client, "hal", 20)
    assert [entry.historical for entry in client.history("hal")] == [True]


def test_errors_name_the_reason_and_the_field(client: Client) -> None:
    with pytest.raises(InvalidArgument) as invalid:
        client.track("", "signup", event_id="no-lead")
    assert (invalid.value.reason, invalid.value.field) == ("EVENT_INVALID", "lead_id")
    assert (invalid.value.code, invalid.value.event_id) == (grpc.StatusCode.INVALID_ARGUMENT, "no-lead")
    with pytest.raises(NotFound) as unknown:
        client.lead("nobody")
    assert unknown.value.reason == "LEAD_NOT_FOUND"
    client.track("eve", "signup", event_id="eve-1")
    with pytest.raises(Conflict) as conflict:
        client.track("eve", "download", event_id="eve-1")
    assert conflict.value.reason == "EVENT_ID_CONFLICT"


def test_values_that_cannot_be_sent_are_refused_before_the_call(client: Client) -> None:
    with pytest.raises(InvalidArgument) as naive:
        client.track("eve", "signup", event_time=datetime(2026, 1, 31))  # noqa: DTZ001 (that is the point)
    assert naive.value.field == "event_time"
    with pytest.raises(InvalidArgument) as unserializable:
        client.track("eve", "signup", properties={"when": object()})
    assert unserializable.value.field == "properties"


def test_a_call_ends_in_time_when_no_server_answers() -> None:
    nobody = Targets(*["127.0.0.1:1"] * 5)
    started = time.monotonic()
    with (
        Client(nobody, retry=RetryPolicy(attempt_seconds=0.5, total_seconds=1.5)) as client,
        pytest.raises(Unavailable) as error,
    ):
        client.track("ada", "signup", event_id="ada-x")
    assert error.value.event_id == "ada-x"
    assert time.monotonic() - started < 60


def test_a_call_outlasts_a_restart_of_ingest(system: System, client: Client) -> None:
    system.kill("ingest")
    restart = threading.Timer(1.0, system.start, ["ingest"])
    restart.start()
    client.track("carl", "signup", event_id="carl-1")
    restart.join()
    system.wait_until_serving("ingest")
    assert scored(client, "carl", 20).event_count == 1


def test_a_watch_goes_on_after_intelligence_has_restarted(system: System, client: Client) -> None:
    watch = client.watch(lead_ids=["dora"])
    assert not next(watch).HasField("change")
    client.track("dora", "signup")
    assert next(watch).change.score_after == 20
    system.kill("intelligence")
    client.track("dora", "page_view")
    system.start("intelligence")
    assert next(watch).change.score_after == 25
    watch.close()  # type: ignore[attr-defined]  # a generator
