"""When scoring does not keep up, ingest refuses events with a retry delay, and recovers by itself."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from leadscore.ingest.v1 import ingest_pb2 as pb

from shared.wire import to_time
from testkit.serving import refusal
from testkit.system import System, running_system
from testkit.traffic import all_scored, make_events, scores, send, violations
from testkit.waiting import eventually


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[System]:
    """A system in which no event can wait for longer than a second."""
    with running_system(tmp_path, settings={"LEADSCORE_BACKLOG_SECONDS": "1"}) as system:
        yield system


async def test_ingest_waits_for_scoring_and_continues(impatient: System, tmp_path: Path) -> None:
    impatient.stop("scoring-worker")
    events = make_events(100, leads=100, seed=1)
    await send(impatient, events)

    async def is_refused() -> bool:
        try:
            await impatient.ingest().IngestEvent(pb.IngestEventRequest(event=events[0]), timeout=30)
        except grpc.aio.AioRpcError as error:
            return refusal(error)[:2] == (grpc.StatusCode.RESOURCE_EXHAUSTED, "PARTITION_BEHIND")
        return False  # it is a duplicate, which is a success

    await eventually(is_refused, what="events are refused")
    assert await _health(impatient) == health_pb2.HealthCheckResponse.SERVING
    assert "refusing events" in impatient.log("ingest")
    command = await _ingest(impatient, _file(tmp_path / "events.ndjson", make_events(50, leads=50, seed=2, prefix="b")))
    assert command.stderr is not None
    layout, message = [(await asyncio.wait_for(command.stderr.readline(), 60)).decode() for _ in range(2)]
    assert "leadscore's own layout" in layout
    assert "waiting, because the ingest service asked to retry later: events of partition" in message
    impatient.start("scoring-worker")
    assert await asyncio.wait_for(command.wait(), 60) == 0
    assert "accepting events again" in impatient.log("ingest")
    await all_scored(impatient)
    assert await send(impatient, events) == {pb.OUTCOME_DUPLICATE: 100}
    assert {lead.startswith("b") for lead in await scores(impatient)} == {False, True}
    assert await violations(impatient) == []
    await impatient.close_channels()


async def _health(system: System) -> int:
    stub = health_pb2_grpc.HealthStub(system.channel("ingest"))
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=30)  # type: ignore[attr-defined]  # the stubs lack it
    return int(answer.status)


async def _ingest(system: System, file: Path) -> asyncio.subprocess.Process:
    port = str(system.ports["ingest"])
    command = [sys.executable, "-m", "cli", "ingest", str(file), "--live", "--base-port", port]
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )


def _file(path: Path, events: list[pb.Event]) -> Path:
    rows = [
        {
            "event_id": event.event_id,
            "lead_id": event.lead_id,
            "event_type": event.event_type,
            "event_time": to_time(event.event_time).isoformat(),
        }
        for event in events
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path
