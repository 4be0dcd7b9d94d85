"""The real SDKs of Segment and RudderStack for Python send to the gateway; see tests/packaging for the one for Node."""

import sys
from pathlib import Path

import pytest

from ingest_service.domain.event import Event
from shared import wire
from tests.gateway.process import gateway_process, run
from tests.ingest.fakes import FakeEventStore
from tests.ingest.requests import ingest_port

SDKS = Path(__file__).parent / "sdks"
SENT = {
    "identify": {"email": "ada@kiosk.example", "seats": 3},
    "demo_request": {"plan": "pro"},
    "page_view": {"name": "Pricing", "url": "/pricing"},
    "screen_view": {"name": "Home"},
    "group": {"groupId": "acme", "size": 5},
    "alias": {"previousId": "anonymous-7"},
}
"""The event types and properties of what each SDK sends."""


def check(events: list[Event]) -> None:
    """Checks that the events are those that an SDK has sent."""
    assert {event.event_type: event.properties for event in events} == SENT
    assert len(events) == len(SENT)
    assert {event.lead_id for event in events} == {"ada"}
    assert all(event.sent_time for event in events), "the clock of the sender is corrected"


@pytest.mark.parametrize("sdk", ["segment_python", "rudderstack_python"])
async def test_an_sdk_delivers_every_message(sdk: str, tmp_path: Path) -> None:
    store = FakeEventStore()
    async with (
        ingest_port(store, now=wire.now()) as port,
        gateway_process(tmp_path, f"127.0.0.1:{port}") as url,
    ):
        await run(sys.executable, str(SDKS / f"{sdk}.py"), url, "lsk_key")
    check(list(store.events.values()))


async def test_an_sdk_sends_again_what_was_not_acknowledged(tmp_path: Path) -> None:
    store = FakeEventStore()
    store.faults.append(TimeoutError())
    async with (
        ingest_port(store, now=wire.now()) as port,
        gateway_process(tmp_path, f"127.0.0.1:{port}") as url,
    ):
        await run(sys.executable, str(SDKS / "segment_python.py"), url, "lsk_key")
    # The SDK may have made more than one batch of the messages.
    refused, again = ([event.event_id for event in put] for put in store.puts[:2])
    assert refused == again
    check(list(store.events.values()))
