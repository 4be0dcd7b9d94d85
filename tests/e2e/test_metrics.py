"""The metrics pages of a running system show what was sent to it, and name no lead."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2

from shared import wire
from testkit.receiver import SECRET, answering, receiving
from testkit.system import SERVERS, WORKERS, System, running_system
from testkit.traffic import all_scored, send
from testkit.waiting import eventually
from tests.e2e.prepared import plant_failures

SETTINGS = {"LEADSCORE_METRICS_SECONDS": "0.2", "LEADSCORE_DELIVERY_SCHEDULE": "0.2"}
CALLS = "rpc_server_call_duration_seconds_count"
INGEST = "leadscore.ingest.v1.IngestService"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("metrics"), settings=SETTINGS, metrics=True) as system:
        yield system


def event(event_id: str, lead_id: str, event_type: str = "page_view", *, hours_ago: int = 0) -> ingest_pb2.Event:
    time = wire.to_timestamp(NOW - timedelta(hours=hours_ago))
    return ingest_pb2.Event(event_id=event_id, lead_id=lead_id, event_type=event_type, event_time=time)


async def shows(system: System, process: str, name: str, value: float, **labels: str) -> None:
    """Waits until a page shows a value."""
    seen: list[float] = []

    async def is_shown() -> bool:
        seen.append((await system.metrics(process)).value(name, **labels))
        return seen[-1] == value

    try:
        await eventually(is_shown, what=f"{name} {labels} of {process} is {value}")
    except AssertionError as error:
        error.add_note(f"it was {seen[-1]}")
        raise


async def test_calls_and_events_are_counted_by_outcome(system: System) -> None:
    async def ingest(sent: ingest_pb2.Event) -> None:
        await system.ingest().IngestEvent(ingest_pb2.IngestEventRequest(event=sent), timeout=30)

    for number in range(3):
        await ingest(event(f"one-{number}", "meter-1"))
    await ingest(event("one-0", "meter-1"))
    for wrong in (event("one-0", "meter-1", "signup"), event("bad", "")):
        with pytest.raises(grpc.aio.AioRpcError):
            await ingest(wrong)
    batch = [*(event(f"many-{number}", "meter-2") for number in range(4)), event("many-0", "meter-2"), event("x", "")]
    await send(system, batch)
    page = await system.metrics("ingest")
    assert page.by("rpc_response_status_code", CALLS, rpc_method=f"{INGEST}/IngestEvent") == {
        "OK": 4,
        "ALREADY_EXISTS": 1,
        "INVALID_ARGUMENT": 1,
    }
    assert page.by("rpc_response_status_code", CALLS, rpc_method=f"{INGEST}/BatchIngestEvents") == {"OK": 1}
    assert page.by("outcome", "leadscore_ingest_events_total") == {"accepted": 7, "duplicate": 2, "rejected": 3}
    # A worker counts a drain after its commit.
    await shows(system, "scoring-worker", "leadscore_drain_items_sum", 7, inbox="events")
    worker = await system.metrics("scoring-worker")
    drains = worker.value("leadscore_drain_items_count", inbox="events")
    assert 1 <= drains <= 7
    assert worker.value("leadscore_drain_duration_seconds_count", inbox="events") == drains

    async def changes() -> float:
        return (await system.metrics("automation-worker")).value("leadscore_drain_items_sum", inbox="score_changes")

    async def each_drain_is_seen() -> bool:
        return await changes() >= drains

    # Two leads change in each drain at most, and automation drains every change.
    await eventually(each_drain_is_seen, what=f"automation drains the changes of {drains:.0f} drains")
    assert drains <= await changes() <= 2 * drains


async def test_late_events_are_counted(system: System) -> None:
    before = (await system.metrics("scoring-worker")).value("leadscore_late_events_total")
    await send(system, [event("late-1", "meter-3"), event("late-2", "meter-4")])
    await all_scored(system)
    await send(system, [event(f"late-{number}", "meter-3", hours_ago=number) for number in range(3, 6)])
    await shows(system, "scoring-worker", "leadscore_late_events_total", before + 3)


async def test_executions_attempts_and_deliveries_are_counted_by_outcome(system: System) -> None:
    async with receiving() as receiver:
        receiver.by_path["/broken"] = answering(500)
        rule = automation_pb2.AutomationRule(rule_id="meters", enabled=True)
        rule.conditions.minimum_score = 50
        for path in ("fine", "broken"):
            rule.actions.add(action_id=path).webhook.url = receiver.url(f"/{path}")
            rule.actions[-1].webhook.secrets.append(SECRET)
        await system.automation().CreateAutomationRule(
            automation_pb2.CreateAutomationRuleRequest(rule=rule), timeout=30
        )
        await send(system, [event("fires", "meter-5", "demo_request")])
        for outcome in ("delivered", "failed"):
            await shows(
                system, "automation-worker", "leadscore_deliveries_total", 1, receiver="webhook", outcome=outcome
            )
    page = await system.metrics("automation-worker")
    assert page.value("leadscore_executions_total") == 1
    assert page.by("outcome", "leadscore_deliveries_total", receiver="webhook") == {"delivered": 1, "failed": 1}
    attempts = page.by("outcome", "leadscore_delivery_attempt_duration_seconds_count", receiver="webhook")
    assert attempts == {"arrived": 1, "retry": 2}
    await shows(system, "automation", "leadscore_executions_failed", 1)


async def test_a_server_shows_what_waits_and_for_how_long(system: System) -> None:
    system.stop("scoring-worker")
    await send(system, [event(f"waiting-{number}", f"meter-{number}") for number in range(4)])
    await shows(system, "scoring", "leadscore_inbox_pending", 4, inbox="events")
    age = "leadscore_inbox_oldest_pending_age_seconds"
    first, second = [(await system.metrics("scoring")).value(age, inbox="events") for _ in range(2)]
    assert 0 < first < second
    system.start("scoring-worker")
    await shows(system, "scoring", "leadscore_inbox_pending", 0, inbox="events")
    await shows(system, "scoring", age, 0, inbox="events")


async def test_a_server_shows_decay_and_the_model_in_force(system: System) -> None:
    assert not (await system.metrics("scoring")).shows("leadscore_decayed_through_timestamp_seconds")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    request = scoring_pb2.DecayScoresRequest(as_of_time=wire.to_timestamp(midnight))
    assert [progress async for progress in system.scoring().DecayScores(request, timeout=60)][-1].done
    await shows(system, "scoring", "leadscore_decayed_through_timestamp_seconds", midnight.timestamp())
    await shows(system, "scoring", "leadscore_decay_lag_days", 0)
    stub = system.scoring()
    model = (await stub.GetScoringModel(scoring_pb2.GetScoringModelRequest(), timeout=30)).scoring_model
    stored = await stub.CreateScoringModel(scoring_pb2.CreateScoringModelRequest(scoring_model=model), timeout=30)
    publication = scoring_pb2.PublishScoringModelRequest(
        version=stored.scoring_model.version,
        base_version=model.version,
        mode=scoring_pb2.PUBLICATION_MODE_FORWARD,
        actor="tester",
    )
    await stub.PublishScoringModel(publication, timeout=30)
    await shows(system, "scoring", "leadscore_model_version", stored.scoring_model.version)
    await shows(system, "scoring", "leadscore_rollout_leads_left", 0)


async def test_parked_rows_are_shown(system: System) -> None:
    await plant_failures(system)
    await shows(system, "scoring", "leadscore_inbox_parked", 2, inbox="events")
    await shows(system, "automation", "leadscore_inbox_parked", 2, inbox="score_changes")


async def test_watchers_are_counted_while_they_watch(system: System) -> None:
    watch = system.intelligence().WatchLeads(intelligence_pb2.WatchLeadsRequest(), timeout=60)
    await watch.read()
    await shows(system, "intelligence", "leadscore_watchers", 1)
    watch.cancel()
    await shows(system, "intelligence", "leadscore_watchers", 0)


async def test_every_process_shows_itself_and_no_lead(system: System) -> None:
    for process in (*SERVERS, *WORKERS):
        page = await system.metrics(process)
        service = f"leadscore.{process.partition('-')[0]}."
        assert [value for name, value in page.by("service", "leadscore_serving").items() if name.startswith(service)]
        assert page.value("process_resident_memory_bytes") > 10_000_000
        assert page.value("leadscore_event_loop_lag_seconds_count") > 0
        assert "meter-" not in page.text
