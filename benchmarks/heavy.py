"""Measures heavy leads and their effect on others. `python -m benchmarks.heavy [NAME …]` runs only the named rows.

Each row starts its own system, so that a row that does not finish cannot affect the next one. A row is abandoned after
`CAP_SECONDS`, and the output says so.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import grpc
from leadscore.ingest.v1 import ingest_pb2
from leadscore.scoring.v1 import scoring_pb2

from benchmarks.bystanders import Bystanders, of_all, watching
from benchmarks.harness.options import Options, say
from benchmarks.harness.reference import partition_of
from benchmarks.harness.report import Figure, at_least, at_most, table
from benchmarks.harness.separate import temporary_system
from shared import wire
from shared.rpc.retries import retry_seconds
from testkit.system import System

CAP_SECONDS = 120.0
FILL_SECONDS = 900.0
"""The limit for scoring the initial events of a row; they are in order of time and not part of the measurement."""
BATCH = 1_000
CLIENTS = 4
ROUNDS = 3
POLL_SECONDS = 0.01
REST_SECONDS = 4.0
"""The pause between two late events, so that bystanders are measured with and without them."""
SHUFFLED_EVENTS = 20_000
BURSTS, BURST_EVENTS = 260, 76
BURST_EVERY = timedelta(days=14)
QUIET_LEADS = 50_000
QUIET_DAYS = 30
CALL_SECONDS = 30.0
TEN_YEARS = timedelta(days=3_650)

Measured = tuple[Figure, Bystanders]


async def shuffled(system: System) -> AsyncIterator[Measured]:
    """Measures events of one lead in random order, from the first call until all are scored."""
    events = _spread("shuffled", SHUFFLED_EVENTS, timedelta(days=365))
    random.Random(1).shuffle(events)
    async with watching(system, partition_of("shuffled")) as bystanders:
        began = time.perf_counter()
        sending = asyncio.create_task(_send(system, events, clients=CLIENTS))
        scored = await _until(lambda: _has_events(system, "shuffled", len(events)), CAP_SECONDS)
        took = time.perf_counter() - began
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    if not scored:
        raise TimeoutError(f"{await _count(system, 'shuffled'):,} of the events are scored after {took:.0f} s")
    name = f"{len(events):,} events of one lead in random order"
    yield Figure(name, "events/s", [len(events) / took], goal=at_least(2_000)), bystanders


async def late_of_20_000(system: System) -> AsyncIterator[Measured]:
    """Measures an event that is up to a day late."""
    await _fill(system, _spread("heavy", 20_000, TEN_YEARS))
    yield await _late(system, 20_000, timedelta(hours=20), 0.1)


async def late_of_200_000(system: System) -> AsyncIterator[Measured]:
    """Measures the same for a lead with ten times the history, and an event that is earlier than all others."""
    await _fill(system, _spread("heavy", 200_000, TEN_YEARS))
    yield await _late(system, 200_000, timedelta(hours=20), 0.1)
    yield await _late(system, 200_000, timedelta(days=3_651), 2)


async def bursts(system: System) -> AsyncIterator[Measured]:
    """Measures ten years of bursts with gaps between them: decay over all of it, and one more event."""
    began = wire.now() - BURSTS * BURST_EVERY
    times = [
        began + burst * BURST_EVERY + timedelta(minutes=each) for burst in range(BURSTS) for each in range(BURST_EVENTS)
    ]
    await _fill(system, [_event("bursts", number, time) for number, time in enumerate(times)])
    async with watching(system, partition_of("bursts")) as bystanders:
        _, seconds = await _decay(system, wire.now())
    name = f"decay over a lead with {len(times):,} events in bursts over ten years"
    yield Figure(name, "s", [seconds], goal=at_most(2)), bystanders
    async with watching(system, partition_of("bursts")) as bystanders:
        seconds = await _until_visible(system, _event("bursts", len(times), wire.now()))
        await asyncio.sleep(REST_SECONDS)
    yield Figure("one more event of it, until visible", "s", [seconds], goal=at_most(0.1)), bystanders


async def quiet(system: System) -> AsyncIterator[Measured]:
    """Measures decay of leads that are days behind."""
    last = wire.now() - timedelta(days=QUIET_DAYS + 6)
    kinds = ("page_view", "download")
    await _fill(
        system,
        [_event(f"quiet-{number}", 0, last, kinds[number % 2]) for number in range(QUIET_LEADS)],
        clients=CLIENTS,
    )
    await _decay(system, wire.now() - timedelta(days=QUIET_DAYS))
    async with watching(system, 0) as bystanders:
        leads, seconds = await _decay(system, wire.now())
    name = f"decay of {QUIET_LEADS:,} inactive leads that are {QUIET_DAYS} days behind"
    yield Figure(name, "leads/s", [leads / seconds], goal=at_least(5_000)), bystanders


ROWS: Mapping[str, Callable[[System], AsyncIterator[Measured]]] = {
    row.__name__: row for row in (shuffled, late_of_20_000, late_of_200_000, bursts, quiet)
}


QUICK = ("shuffled", "bursts")
"""The rows that fit into the ten minutes of all parts; the others take two minutes."""


def quick(options: Options) -> Iterator[Figure]:
    """Runs the rows that take little time."""
    return measure(options, QUICK)


def long(options: Options) -> Iterator[Figure]:
    """Runs the rows that take longer."""
    return measure(options, [name for name in ROWS if name not in QUICK])


def measure(options: Options, names: Sequence[str]) -> Iterator[Figure]:
    """Runs the named rows and yields their figures, then those of all bystanders together.

    Raises:
        RuntimeError: A row did not finish; the other rows were run.
    """
    found, failed = list[Bystanders](), list[str]()
    for name in names:
        with temporary_system(options) as system:
            try:
                for figure, bystanders in asyncio.run(_measure(system, ROWS[name])):
                    say(f"{figure.name}: {figure.value:,.3f} {figure.unit}; {bystanders}")
                    found.append(bystanders)
                    yield figure
            except (TimeoutError, grpc.aio.AioRpcError) as error:
                failed.append(f"{name}: {error}")
    if found:
        yield from of_all(found)
    if failed:
        raise RuntimeError("; ".join(failed))


async def _measure(system: System, row: Callable[[System], AsyncIterator[Measured]]) -> list[Measured]:
    try:
        return [each async for each in row(system)]
    finally:
        await system.close_channels()


async def _late(system: System, entries: int, late: timedelta, goal: float) -> Measured:
    """Sends late events, one after the other, for the lead `heavy`, which has `entries` entries."""
    seconds = list[float]()
    async with watching(system, partition_of("heavy")) as bystanders:
        for number in range(ROUNDS):
            event = _event("heavy", entries + late.days * ROUNDS + number, wire.now() - late)
            seconds.append(await _until_visible(system, event))
            await asyncio.sleep(REST_SECONDS)
    when = f"{late.days // 365} years" if late.days else "less than a day"
    name = f"an event {when} late, of a lead with {entries:,} entries, until visible"
    return Figure(name, "s", seconds, goal=at_most(goal)), bystanders


def _spread(lead_id: str, events: int, span: timedelta) -> list[ingest_pb2.Event]:
    """Returns events of one lead, evenly spread over a span that ends now, in order of time."""
    began = wire.now() - span
    return [_event(lead_id, number, began + span * number / events) for number in range(events)]


def _event(lead_id: str, number: int, time_: datetime, kind: str = "page_view") -> ingest_pb2.Event:
    event = ingest_pb2.Event(event_id=f"{lead_id}-{number}", lead_id=lead_id, event_type=kind, source="website")
    event.event_time.CopyFrom(wire.to_timestamp(time_))
    event.properties.fields["url"].string_value = f"https://shop.example/products/{number % 97}"
    return event


async def _fill(system: System, events: Sequence[ingest_pb2.Event], *, clients: int = 1) -> None:
    """Sends events, in order if there is one client, and waits until they are scored.

    Raises:
        TimeoutError: They are not scored within `FILL_SECONDS`.
    """
    await _send(system, events, clients=clients)

    async def none_waits() -> bool:
        request = scoring_pb2.GetScoringBacklogRequest()
        return not (await system.scoring().GetScoringBacklog(request, timeout=CALL_SECONDS)).pending_events

    if not await _until(none_waits, FILL_SECONDS):
        raise TimeoutError(f"the initial events were not scored within {FILL_SECONDS:g} s")


async def _send(system: System, events: Sequence[ingest_pb2.Event], *, clients: int) -> None:
    batches = [events[start : start + BATCH] for start in reversed(range(0, len(events), BATCH))]

    async def client() -> None:
        while batches:
            await _send_until_accepted(system, batches.pop())

    await asyncio.gather(*(client() for _ in range(clients)))


async def _send_until_accepted(system: System, events: Sequence[ingest_pb2.Event]) -> None:
    """Sends a batch, and again what was refused for now, after the delays that the server asks for."""
    while events:
        try:
            request = ingest_pb2.BatchIngestEventsRequest(events=events)
            outcomes = (await system.ingest().BatchIngestEvents(request, timeout=CALL_SECONDS)).outcomes
        except grpc.aio.AioRpcError as error:
            await asyncio.sleep(retry_seconds(error) or 1.0)
            continue
        refused = [each.outcome == ingest_pb2.OUTCOME_RETRY_LATER for each in outcomes]
        events = [event for event, again in zip(events, refused, strict=True) if again]
        if events:
            await asyncio.sleep(outcomes[refused.index(True)].retry_delay.ToTimedelta().total_seconds())


async def _until_visible(system: System, event: ingest_pb2.Event) -> float:
    """Sends an event and returns the seconds from its acknowledgement until a read shows it.

    Raises:
        TimeoutError: It is not visible within `CAP_SECONDS`.
    """
    count = await _count(system, event.lead_id)
    await _send_until_accepted(system, [event])
    began = time.perf_counter()
    if not await _until(lambda: _has_events(system, event.lead_id, count + 1), CAP_SECONDS):
        raise TimeoutError(f"an event is not visible after {CAP_SECONDS:g} s")
    return time.perf_counter() - began


async def _decay(system: System, as_of: datetime) -> tuple[int, float]:
    """Runs decay once; returns how many leads it checked, and its seconds."""
    request, began, leads = scoring_pb2.DecayScoresRequest(as_of_time=wire.to_timestamp(as_of)), time.perf_counter(), 0
    async for progress in system.scoring().DecayScores(request, timeout=CAP_SECONDS):
        leads = progress.leads_checked
    return leads, time.perf_counter() - began


async def _has_events(system: System, lead_id: str, count: int) -> bool:
    return await _count(system, lead_id) >= count


async def _count(system: System, lead_id: str) -> int:
    """Returns how many events of a lead are scored."""
    request = scoring_pb2.BatchGetLeadScoresRequest(lead_ids=[lead_id])
    found = (await system.scoring().BatchGetLeadScores(request, timeout=CALL_SECONDS)).lead_scores
    return found[0].event_count if found else 0


async def _until(holds: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Waits until `holds` returns true, and retries failed calls; returns False after `seconds`."""
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        try:
            if await holds():
                return True
        except grpc.aio.AioRpcError:
            pass
        await asyncio.sleep(POLL_SECONDS)
    return False


if __name__ == "__main__":
    print(table(list(measure(Options(), sys.argv[1:] or list(ROWS)))))
