"""`AsyncClient` against a real system."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from leadscore.client import AsyncClient, Conflict, EventsRejected, InvalidArgument, NotFound, Rejection, Targets

from testkit.system import System
from testkit.waiting import eventually
from tests.clients.conftest import PATIENT


@pytest.fixture
async def client(targets: Targets) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(targets, retry=PATIENT) as client:
        yield client


async def scored(client: AsyncClient, lead_id: str, score: int) -> None:
    async def has_score() -> bool:
        try:
            return (await client.lead(lead_id)).score == score
        except NotFound:
            return False

    await eventually(has_score, what=f"{lead_id} has {score} points")


async def test_a_tracked_event_shows_in_the_score_and_in_the_history(client: AsyncClient) -> None:
    await client.identify("async-ada", company="Analytical Engines")
    await client.track("async-ada", "demo_request")
    await scored(client, "async-ada", 50)
    assert [entry.delta async for entry in client.history("async-ada")] == [0, 50]


async def test_errors_name_the_reason_and_the_field(client: AsyncClient) -> None:
    with pytest.raises(InvalidArgument) as invalid:
        await client.track("", "signup", event_id="no-lead")
    assert (invalid.value.reason, invalid.value.field) == ("EVENT_INVALID", "lead_id")
    await client.track("async-eve", "signup", event_id="async-eve-1")
    with pytest.raises(Conflict):
        await client.track("async-eve", "download", event_id="async-eve-1")


async def test_a_call_outlasts_a_restart_of_ingest(system: System, client: AsyncClient) -> None:
    system.kill("ingest")
    call = asyncio.create_task(client.track("async-carl", "signup"))
    await asyncio.sleep(1.0)
    system.start("ingest")
    assert not (await call).duplicate
    await scored(client, "async-carl", 20)


async def test_a_watch_yields_committed_changes(client: AsyncClient) -> None:
    async with aclosing(client.watch(lead_ids=["async-dora"])) as watch:  # type: ignore[type-var]  # a generator
        assert not (await anext(watch)).HasField("change")
        await client.track("async-dora", "signup")
        assert (await anext(watch)).change.score_after == 20


async def test_a_batcher_sends_everything_and_reports_what_was_rejected(client: AsyncClient) -> None:
    rejected = list[Rejection]()
    async with client.batch(on_rejected=rejected.append) as batch:
        for number in range(1200):
            await batch.track(f"async-lead-{number % 10}", "page_view", event_id=f"async-many-{number}")
        await batch.track("", "page_view", event_id="no-lead")
    assert [(each.event.event_id, each.reason, each.field) for each in rejected] == [
        ("no-lead", "EVENT_INVALID", "lead_id")
    ]
    await scored(client, "async-lead-3", 600)


async def test_a_batcher_without_a_callback_raises_what_was_rejected(client: AsyncClient) -> None:
    batch = client.batch()
    await batch.track("", "page_view", event_id="no-lead-2")
    with pytest.raises(EventsRejected) as error:
        await batch.close()
    assert error.value.rejections[0].event.event_id == "no-lead-2"
