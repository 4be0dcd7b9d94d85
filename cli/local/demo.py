"""`leadscore demo`: starts the whole system, ingests a made-up funnel and shows its leads, in under a minute."""

import base64
import queue
import random
import secrets
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from leadscore.automation.v1 import automation_pb2
from leadscore.automation.v1.automation_pb2_grpc import AutomationServiceStub
from leadscore.ingest.v1 import ingest_pb2
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2

from cli.automation.views import execution_card
from cli.events.ingest import ingest, wait_until_scored
from cli.events.lines import Line
from cli.leads import show
from cli.local.funnel import favourite, make_events
from cli.local.plan import Plan
from cli.local.ports import obstacle
from cli.local.receiver import Receiver, receiving
from cli.local.up import system
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.output import OUT, say
from cli.terminal.output import show as print_view
from shared import wire

SEED = 42
RECEIVE_SECONDS = 15.0
"""Maximum time from an event that triggers a rule to the delivery to its receiver."""
BASE_PORTS = range(20_000, 32_000)
"""Below the ephemeral ports of Linux, which outgoing connections may take at any time."""
_SETTINGS = {"LEADSCORE_WEBHOOK_HTTP": "true", "LEADSCORE_WEBHOOK_NETWORKS": "127.0.0.0/8"}
"""Lets rules call the demo's receiver, which is on this machine; by default they cannot."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A running system that has scored the funnel."""

    connection: Connection
    favourite: str
    """The id of the lead that a salesperson would call first."""
    receiver: Receiver
    secret: str
    """The key with which the receiver verifies signatures."""


def run_demo(*, as_json: bool) -> None:
    """Starts a demo system, shows its leads and an automation, and stops it.

    Raises:
        CommandError: A step failed.
        SystemExit: The process received SIGTERM or SIGHUP. Every process that it started is stopped.
    """
    with demo_system() as demo:
        _show(demo.connection, demo.favourite, as_json=as_json)
        _automate(demo, as_json=as_json)
        say("stopping")


@contextmanager
def demo_system() -> Iterator[Demo]:
    """Runs a system with its own databases in a temporary directory, and ingests the funnel.

    Raises:
        CommandError: The system did not start, or an event was not accepted.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _: sys.exit(128 + caught))
    connection = Connection(free_base_port())
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    with (
        tempfile.TemporaryDirectory(prefix="leadscore-demo-") as directory,
        receiving(secret) as receiver,
        system(Plan(connection, Path(directory), settings=_SETTINGS, own_databases=True), say),
    ):
        events = make_events(SEED, wire.now())
        say(f"ingesting {len(events):,} events of the last 90 days")
        _ingest(connection, events)
        say("applying decay, as a daily cron job would")
        _decay(connection)
        yield Demo(connection, favourite(events), receiver, secret)


def _ingest(connection: Connection, events: Sequence[ingest_pb2.Event]) -> None:
    totals = ingest(
        connection,
        _lines(events),
        batch_size=500,
        concurrency=4,
        on_progress=lambda _: None,
        on_backpressure=say,
    )
    wait_until_scored(connection, timeout=60, on_progress=lambda _: None)
    if totals.accepted != len(events):
        raise CommandError(f"{totals.accepted} of {len(events)} events were accepted: {totals.rejections}")


def _show(connection: Connection, lead_id: str, *, as_json: bool) -> None:
    with connection.intelligence() as stub:
        summary = stub.GetPipelineSummary(intelligence_pb2.GetPipelineSummaryRequest(), timeout=CALL_SECONDS)
        request = intelligence_pb2.ListTopLeadsRequest(page_size=10)
        top = stub.ListTopLeads(request, timeout=CALL_SECONDS).lead_intelligence
        wanted = intelligence_pb2.GetLeadIntelligenceRequest(lead_id=lead_id)
        insight = stub.GetLeadIntelligence(wanted, timeout=CALL_SECONDS).lead_intelligence
    with connection.scoring() as stub:
        history = scoring_pb2.ListScoreHistoryRequest(lead_id=lead_id, page_size=1000)
        entries = stub.ListScoreHistory(history, timeout=CALL_SECONDS).entries
    _heading("The pipeline: leadscore summary", as_json=as_json)
    print_view(show.summary_view(summary), summary, as_json=as_json)
    _heading("The top leads: leadscore top", as_json=as_json)
    print_view(show.top_table(top), *top, as_json=as_json)
    _heading(f"One of them: leadscore lead {lead_id}", as_json=as_json)
    print_view(show.card(insight, entries), insight, as_json=as_json)


def _automate(demo: Demo, *, as_json: bool) -> None:
    """Creates a rule, sends the event that triggers it, and shows what the receiver received."""
    rule = automation_pb2.AutomationRule(rule_id="call-them", display_name="Call them", enabled=True)
    rule.trigger.event_received.event_type = "demo_request"
    rule.conditions.minimum_velocity = 1
    action = rule.actions.add(preset=automation_pb2.PRESET_CREATE_CRM_TASK, parameters={"title": "Call them today"})
    action.webhook.MergeFrom(automation_pb2.Webhook(url=demo.receiver.url, secrets=[demo.secret]))
    event = ingest_pb2.Event(event_id=f"demo-{uuid.uuid4()}", lead_id=demo.favourite, event_type="demo_request")
    event.event_time.CopyFrom(wire.to_timestamp(wire.now()))
    with demo.connection.automation() as stub:
        stub.CreateAutomationRule(automation_pb2.CreateAutomationRuleRequest(rule=rule), timeout=CALL_SECONDS)
        with demo.connection.ingest() as ingest_stub:
            ingest_stub.IngestEvent(ingest_pb2.IngestEventRequest(event=event), timeout=CALL_SECONDS)
        began = time.monotonic()
        try:
            payload = demo.receiver.received.get(timeout=RECEIVE_SECONDS)
        except queue.Empty:
            raise CommandError(f"the receiver received no webhook within {RECEIVE_SECONDS:g} s") from None
        took = time.monotonic() - began
        execution_id = payload["data"]["execution_id"]
        execution = _delivered(stub, execution_id)
    _heading(f"It asks for a demo, and a rule fires: leadscore executions show {execution_id}", as_json=as_json)
    print_view(execution_card(execution), execution, as_json=as_json)
    say(f"a receiver on this machine received it {took * 1000:.0f} ms after the event, with a valid signature")


def _delivered(stub: "AutomationServiceStub", execution_id: str) -> automation_pb2.AutomationExecution:
    """Waits until the receiver's answer is stored, and returns the execution."""
    request = automation_pb2.GetAutomationExecutionRequest(execution_id=execution_id)
    ends = time.monotonic() + RECEIVE_SECONDS
    while True:
        execution = stub.GetAutomationExecution(request, timeout=CALL_SECONDS).execution
        if execution.state != automation_pb2.EXECUTION_STATE_PENDING or time.monotonic() > ends:
            return execution
        time.sleep(0.02)


def _heading(text: str, *, as_json: bool) -> None:
    if not as_json:
        OUT.rule(text)


def _decay(connection: Connection) -> None:
    with connection.scoring() as stub:
        for progress in stub.DecayScores(scoring_pb2.DecayScoresRequest(), timeout=60):
            last = progress
    say(f"{counted(last.leads_changed, 'inactive lead')} lost {counted(last.points_removed, 'point')}")


def _lines(events: Sequence[ingest_pb2.Event]) -> Iterator[Line]:
    return (Line(number, event, None) for number, event in enumerate(events, start=1))


def free_base_port() -> int:
    """Returns a base port for which all ports of a system are free.

    Raises:
        CommandError: None was found.
    """
    for _ in range(100):
        base = random.choice(BASE_PORTS)  # noqa: S311 (no secret)
        programs = Plan(Connection(base), Path()).programs()
        if not any(obstacle(port) for each in programs for port in (each.port, *each.metrics_ports)):
            return base
    raise CommandError("no free ports for a system were found on this machine")
