"""`leadscore demo`: the whole system on a made-up funnel, from nothing to a lead's card, in under a minute."""

import random
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from cli import show
from cli.connection import CALL_SECONDS, SERVICES, CommandError, Connection
from cli.funnel import favourite, make_events
from cli.ingest import ingest, wait_until_scored
from cli.output import OUT, say
from cli.output import show as print_view
from cli.reading import Line
from cli.up import Plan, system
from shared import wire
from shared.pb.ingest.v1 import ingest_pb2
from shared.pb.intelligence.v1 import intelligence_pb2
from shared.pb.scoring.v1 import scoring_pb2

SEED = 42


def run_demo(*, as_json: bool) -> None:
    """Starts a system in a directory that goes away, feeds it, shows what came out, and stops it.

    Raises:
        CommandError: Something did not work as it should; the text says what.
    """
    connection = Connection(_free_base_port())
    with (
        tempfile.TemporaryDirectory(prefix="leadscore-demo-") as directory,
        system(Plan(connection, Path(directory)), say),
    ):
        events = make_events(SEED, wire.now())
        say(f"ingesting {len(events):,} events of the last 90 days")
        totals = ingest(connection, _lines(events), batch_size=500, concurrency=4, on_progress=lambda _: None)
        wait_until_scored(connection, timeout=60, on_progress=lambda _: None)
        if totals.accepted != len(events):
            raise CommandError(f"{totals.accepted} of {len(events)} events were accepted: {totals.flaws}")
        say("applying decay, as cron would")
        _decay(connection)
        _show(connection, favourite(events), as_json=as_json)
        say("stopping")


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


def _heading(text: str, *, as_json: bool) -> None:
    if not as_json:
        OUT.rule(text)


def _decay(connection: Connection) -> None:
    with connection.scoring() as stub:
        for progress in stub.DecayScores(scoring_pb2.DecayScoresRequest(), timeout=60):
            last = progress
    say(f"{last.leads_changed:,} quiet leads lost {last.points_removed:,} points")


def _lines(events: Sequence[ingest_pb2.Event]) -> Iterator[Line]:
    return (Line(number, event, None) for number, event in enumerate(events, start=1))


def _free_base_port() -> int:
    for _ in range(100):
        base = random.randrange(20_000, 60_000)  # noqa: S311 (no secret)
        if all(_is_free(base + offset) for offset in range(len(SERVICES))):
            return base
    raise CommandError("no four ports in a row are free on this machine")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
