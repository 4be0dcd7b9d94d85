"""One trace leads from a client's call to the webhook, whatever carried its event on."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import grpc
import pymongo
import pytest
import redis.asyncio
from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2

from shared import wire
from testkit.collector import Collector, Received, collecting
from testkit.receiver import SECRET, Receiver, answering, receiving
from testkit.system import WORKERS, System, running_system
from testkit.traffic import all_scored, make_events, send
from testkit.waiting import eventually

INGEST = "leadscore.ingest.v1.IngestService/IngestEvent"
INTELLIGENCE = "leadscore.intelligence.v1.IntelligenceService/BatchGetLeadIntelligence"
SCORING = "leadscore.scoring.v1.ScoringService/BatchGetLeadScores"
WAY = {
    INGEST: "leadscore.ingest.v1.IngestService",
    "process events": "leadscore.scoring.worker",
    "process score_changes": "leadscore.automation.worker",
    "execution": "leadscore.automation.worker",
    "deliver webhook": "leadscore.automation.worker",
}
"""The spans from a call to a webhook, and the processes that make them."""
NOW = wire.to_timestamp(wire.now())


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[System]:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "LEADSCORE_SWEEP_AGE_SECONDS": "0.5",
        "LEADSCORE_DELIVERY_SCHEDULE": ",".join(["0.2"] * 100),
    }
    with running_system(tmp_path_factory.mktemp("traces"), settings=settings) as system:
        yield system


async def create_rule(system: System, receiver: Receiver, rule_id: str) -> None:
    """Creates a rule that sends each demo request to a path of its own."""
    rule = automation_pb2.AutomationRule(rule_id=rule_id, enabled=True)
    rule.trigger.event_received.event_type = f"demo_{rule_id}"
    rule.actions.add(action_id="crm").webhook.url = receiver.url(f"/{rule_id}")
    rule.actions[0].webhook.secrets.append(SECRET)
    await system.automation().CreateAutomationRule(automation_pb2.CreateAutomationRuleRequest(rule=rule), timeout=30)


async def ingest(system: System, name: str, *, flags: str = "01") -> str:
    """Sends an event as a client with a trace of its own does, and returns the traceparent that it sent."""
    traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{flags}"
    event = ingest_pb2.Event(event_id=name, lead_id=name, event_type=f"demo_{name}", event_time=NOW)
    request = ingest_pb2.IngestEventRequest(event=event)
    await system.ingest().IngestEvent(request, timeout=30, metadata=(("traceparent", traceparent),))
    return traceparent


async def received(receiver: Receiver, path: str) -> str:
    """Waits for a webhook, and returns its traceparent; empty if it has none."""

    async def has_arrived() -> bool:
        return any(request.path == path for request in receiver.requests)

    await eventually(has_arrived, what=f"a webhook at {path}")
    first = next(request for request in receiver.requests if request.path == path)
    return first.headers.get("traceparent", "")


async def whole_trace(collector: Collector, traceparent: str) -> dict[str, Received]:
    """Waits until a trace has every span from the call to the webhook, and returns them by name."""
    _, trace_id, _, _ = traceparent.split("-")

    async def is_whole() -> bool:
        return set(collector.names(trace_id)) >= set(WAY)

    try:
        await eventually(is_whole, what="a trace with every span")
    except AssertionError as error:
        error.add_note(f"it had {collector.names(trace_id)}")
        raise
    assert set(collector.names(trace_id)) == set(WAY)
    # On a busy machine, an attempt may have failed before.
    return {span.name: span for span in collector.trace(trace_id) if not span.is_error}


def check(collector: Collector, spans: dict[str, Received], sent: str, got: str) -> None:
    """Checks that the spans of an event have the right parents, links and processes."""
    _, trace_id, caller, _ = sent.split("-")
    assert {name: span.process for name, span in spans.items()} == WAY
    call = spans[INGEST]
    assert call.parent_id == caller
    assert {span.parent_id for name, span in spans.items() if name != INGEST} == {call.span_id}
    assert got.split("-")[1:3] == [trace_id, spans["deliver webhook"].span_id]
    for inbox in ("events", "score_changes"):
        [(drain_trace, drain_id)] = spans[f"process {inbox}"].links
        [drain] = [span for span in collector.trace(drain_trace) if span.span_id == drain_id]
        assert (drain.name, drain.parent_id) == (f"drain {inbox}", "")
        assert (trace_id, call.span_id) in drain.links
        assert drain_trace != trace_id


async def test_one_trace_leads_from_a_call_to_the_webhook(system: System, collector: Collector) -> None:
    async with receiving() as receiver:
        await create_rule(system, receiver, "plain")
        sent = await ingest(system, "plain")
        got = await received(receiver, "/plain")
    spans = await whole_trace(collector, sent)
    check(collector, spans, sent, got)
    assert spans["deliver webhook"].attributes["leadscore.delivery.status"] == 200
    assert spans["execution"].attributes["leadscore.rule.id"] == "plain"
    assert not any(span.is_error for span in spans.values())

    # What automation asked for belongs to its drain.
    [(drain, _)] = spans["process score_changes"].links

    async def has_calls() -> bool:
        return set(collector.names(drain)) >= {INTELLIGENCE, SCORING}

    await eventually(has_calls, what=f"the calls of a drain, not {collector.names(drain)}")

    _, trace_id, _, _ = sent.split("-")
    lines = [json.loads(line) for line in system.log("automation-worker").splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines if line.get("trace_id") == trace_id] == ["delivery"]
    assert {line["event"] for line in lines if line.get("trace_id") == drain} == {"drain"}


async def test_the_trace_is_the_same_by_way_of_the_sweepers(system: System, collector: Collector) -> None:
    async with receiving() as receiver, redis.asyncio.Redis.from_url(system.redis.url) as client:
        await create_rule(system, receiver, "swept")
        for worker in WORKERS:
            system.kill(worker)
        sent = await ingest(system, "swept")
        assert stored(system, "swept").get("traceparent", "").startswith(sent[:36])
        await client.flushall()
        system.start("scoring-worker")
        await all_scored(system)
        await client.flushall()
        system.start("automation-worker")
        got = await received(receiver, "/swept")
    check(collector, await whole_trace(collector, sent), sent, got)
    assert "traceparent" not in stored(system, "swept"), "the row of a scored event needs no trace"


async def test_a_delivery_that_is_repeated_stays_in_the_trace(system: System, collector: Collector) -> None:
    async with receiving() as receiver:
        receiver.by_path["/repeated"] = answering(503)
        await create_rule(system, receiver, "repeated")
        sent = await ingest(system, "repeated")
        await received(receiver, "/repeated")
        receiver.by_path["/repeated"] = answering(200)

        async def is_delivered() -> bool:
            return any(not each.is_error for each in attempts())

        def attempts() -> list[Received]:
            trace = collector.trace(sent.split("-")[1])
            return [span for span in trace if span.name == "deliver webhook"]

        await eventually(is_delivered, what="a span of the attempt that arrives")
    *failed, last = sorted(attempts(), key=lambda span: span.attributes["leadscore.delivery.status"], reverse=True)
    assert [span.attributes["error.type"] for span in failed] == ["503"] * len(failed)
    assert failed
    assert {span.parent_id for span in failed} == {last.parent_id}


async def test_a_duplicate_keeps_the_trace_of_the_first(system: System, collector: Collector) -> None:
    system.stop("scoring-worker")
    first = await ingest(system, "twice")
    row = stored(system, "twice")
    await ingest(system, "twice")
    assert stored(system, "twice") == row
    assert row["traceparent"].startswith(first[:36])
    system.start("scoring-worker")
    await all_scored(system)


async def test_an_event_whose_caller_does_not_record_it_leaves_no_trace(system: System, collector: Collector) -> None:
    async with receiving() as receiver:
        await create_rule(system, receiver, "quiet")
        sent = await ingest(system, "quiet", flags="00")
        assert await received(receiver, "/quiet") == ""
    assert not collector.trace(sent.split("-")[1])


async def test_a_refused_call_has_its_code(system: System, collector: Collector) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await ingest(system, "")

    async def is_seen() -> bool:
        codes = [span.attributes["rpc.response.status_code"] for span in collector.named(INGEST)]
        return "INVALID_ARGUMENT" in codes

    await eventually(is_seen, what="the span of a refused call")


async def test_no_span_names_a_lead_or_an_event(system: System, collector: Collector) -> None:
    shown = str([(span.name, span.attributes) for span in collector.spans if span.name != "execution"])
    assert "swept" not in shown


async def test_a_receiver_that_is_away_stops_nothing(system: System, collector: Collector) -> None:
    collector.status = 400

    async def knows(process: str, text: str) -> bool:
        return text in system.log(process)

    await send(system, make_events(500, leads=50, seed=1))
    await all_scored(system)
    for process in ("ingest", "scoring-worker"):
        await eventually(lambda name=process: knows(name, "traces not sent"), what=f"{process} logs it")  # type: ignore[misc]
        assert system.log(process).count("traces not sent") == 1
    assert system.stop("scoring-worker") == 0
    collector.status = 200
    system.start("scoring-worker")
    await send(system, make_events(10, leads=5, seed=2))
    await eventually(lambda: knows("ingest", "traces are sent again"), what="ingest logs that it sends again")
    await all_scored(system)


def stored(system: System, event_id: str) -> dict[str, Any]:
    """Returns the row of an event."""
    with pymongo.MongoClient[dict[str, Any]](system.mongo.uri) as client:
        row = client.get_default_database("leadscore")["events"].find_one({"_id": event_id})
    assert row is not None
    return row
