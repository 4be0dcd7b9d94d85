"""`leadscore`: each command is a few lines that call, wait and show."""

import sys
import uuid
from pathlib import Path
from typing import Annotated

import typer
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2
from rich.table import Table

from cli import VERSION
from cli.automation import executions, rules
from cli.events.ingest import Totals, ingest, wait_until_scored
from cli.events.reading import read_events
from cli.leads import corrections, show
from cli.leads.watch import watch
from cli.local.demo import run_demo
from cli.local.up import Plan, run_until_stopped
from cli.model import commands as models
from cli.operations import decay, parked, status
from cli.simulation import commands as simulate
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.options import STREAM_SECONDS, AsJson, BasePort, LeadId, Limit, as_of
from cli.terminal.output import ERR, OUT, bar, print_json, printable, say
from cli.terminal.output import show as print_view
from cli.terminal.pages import listed
from shared import wire

app = typer.Typer(
    help="Lead scoring: run it, feed it, ask it. `leadscore COMMAND --help` tells more.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(models.app, name="model")
app.command()(simulate.simulate)
app.command()(corrections.adjust)
app.command()(corrections.retract)
app.command()(corrections.rebuild)
app.add_typer(rules.app, name="rules")
app.add_typer(executions.app, name="executions")
app.add_typer(parked.app, name="parked")
app.add_typer(decay.app, name="decay")
app.command()(status.status)
app.command()(watch)


def main() -> None:
    """Runs the command line; an expected failure is a line, or one a flaw, and exit status 1."""
    try:
        app()
    except CommandError as error:
        sys.exit("\n  ".join(map(printable, (f"leadscore: {error}", *error.details))))


@app.callback(invoke_without_command=True)
def _options(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if show_version:
        OUT.print(VERSION)
        raise typer.Exit


@app.command()
def up(
    data_dir: Annotated[Path, typer.Option(help="Where the databases and logs are kept.")] = Path(".leadscore"),
    base_port: BasePort = 50051,
    scoring_workers: Annotated[int, typer.Option(min=1, max=64, help="Scoring worker processes.")] = 1,
    automation_workers: Annotated[int, typer.Option(min=1, max=64, help="Automation worker processes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Run the whole system on this machine until Ctrl-C.

    MongoDB and Redis are started too, unless LEADSCORE_MONGO_URI and LEADSCORE_REDIS_URL name some.
    """
    connection = Connection(base_port)
    plan = Plan(connection, data_dir.resolve(), scoring_workers, automation_workers)
    run_until_stopped(plan, say, lambda: _print_ready(connection, as_json=as_json))


@app.command("ingest")
def ingest_file(
    file: Annotated[str, typer.Argument(help="NDJSON or CSV, plain or gzip; - for standard input.")],
    batch_size: Annotated[int, typer.Option(min=1, max=1000, help="Events per call.")] = 500,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Calls in flight.")] = 4,
    wait: Annotated[bool, typer.Option("--wait", help="Return when all is scored.")] = False,
    timeout: Annotated[float, typer.Option(help="Longest time to wait for scores, in seconds.")] = 600.0,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Send the events of a file.

    Fields: lead_id, event_id, event_type, properties, source, and the time as occurred_at, event_time or timestamp.
    Sending a file twice changes nothing. The exit status is 1 when something was rejected.
    """
    connection = Connection(base_port)
    lines = read_events(None if file == "-" else Path(file))
    with bar("ingesting") as progress:

        def on_progress(totals: Totals) -> None:
            done = totals.accepted + totals.duplicate + totals.rejected
            progress.update(done, note=f"{done / max(totals.seconds, 0.001):,.0f}/s")

        totals = ingest(
            connection,
            lines,
            batch_size=batch_size,
            concurrency=concurrency,
            on_progress=on_progress,
            on_refusal=lambda reason: say(f"waiting until the ingest service takes more: {reason}"),
        )
    _print_totals(totals, as_json=as_json)
    if wait:
        with bar("scoring") as progress:
            parked_events = wait_until_scored(
                connection, timeout=timeout, on_progress=lambda left: progress.update(0, note=f"{left:,} wait")
            )
        if parked_events:
            say(f"{parked_events:,} events could not be scored and are parked: see leadscore parked list")
    if totals.rejected:
        raise typer.Exit(1)


@app.command()
def lead(
    lead_id: LeadId,
    at: Annotated[
        str, typer.Option("--as-of", help="As it was then: a date (its end in UTC) or a time, 2026-01-31T12:00Z.")
    ] = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Show a lead: score, stage, velocity, risk, next action, and why."""
    connection = Connection(base_port)
    request = intelligence_pb2.GetLeadIntelligenceRequest(lead_id=lead_id, as_of_time=as_of(at) if at else None)
    with connection.intelligence() as stub:
        insight = stub.GetLeadIntelligence(request, timeout=CALL_SECONDS).lead_intelligence
    entries = [] if as_json else _entries(connection, lead_id, 1000)[::-1]
    until = wire.to_time(insight.as_of_time)
    known = [entry for entry in entries if not at or wire.to_time(entry.event_time) <= until]
    print_view(show.card(insight, known), insight, as_json=as_json)


@app.command()
def history(lead_id: LeadId, limit: Limit = 50, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Show a lead's history: every point, where it came from and what it did; the newest entries, oldest first."""
    entries = _entries(Connection(base_port), lead_id, limit)[::-1]
    print_view(show.history_table(entries), *entries, as_json=as_json)


@app.command()
def top(
    stage: Annotated[str, typer.Option(help="Only leads in this stage.")] = "",
    order: Annotated[str, typer.Option(help="`score` or `recent`.")] = "score",
    limit: Limit = 20,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """List the leads with the highest scores, or the latest activity."""
    orders = {
        "score": intelligence_pb2.TOP_ORDER_SCORE,
        "recent": intelligence_pb2.TOP_ORDER_LAST_EVENT_TIME,
    }
    if order not in orders:
        raise CommandError(f"--order is {order!r}, must be score or recent")
    with Connection(base_port).intelligence() as stub:
        request = intelligence_pb2.ListTopLeadsRequest(stage=stage, order=orders[order])
        insights = listed(stub.ListTopLeads, request, "lead_intelligence", limit)
    print_view(show.top_table(insights), *insights, as_json=as_json)


@app.command()
def summary(base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Count all leads by stage, risk, next action and score.

    It reads every lead in one call: with more than about 100,000, set LEADSCORE_CALL_SECONDS of the intelligence server
    to 1 for every 10,000 leads.
    """
    with Connection(base_port).intelligence() as stub, ERR.status("counting"):
        answer = stub.GetPipelineSummary(intelligence_pb2.GetPipelineSummaryRequest(), timeout=300)
    print_view(show.summary_view(answer), answer, as_json=as_json)


@app.command()
def verify(base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Check every lead against its history and its events. The exit status is 1 when something is wrong."""
    violations: list[scoring_pb2.Violation] = []
    with Connection(base_port).scoring() as stub, bar("verifying") as progress:
        for answer in stub.VerifyScores(scoring_pb2.VerifyScoresRequest(), timeout=STREAM_SECONDS):
            violations += answer.violations
            progress.update(answer.leads_checked, total=answer.leads_total)
    for violation in violations:
        print_view(f"{violation.invariant} {violation.lead_id} {violation.message}", violation, as_json=as_json)
    people = (
        f"{answer.leads_checked:,} leads, {answer.entries_checked:,} entries, {answer.events_checked:,} events, "
        f"{answer.events_pending:,} more wait to be scored, {answer.events_parked:,} are parked: "
        f"{len(violations) or 'no'} violations"
    )
    print_view(people, answer, as_json=as_json)
    if violations:
        raise typer.Exit(1)


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Start everything, ingest a made-up funnel of about 300 leads, show what came out, and stop."""
    run_demo(as_json=as_json)


def _entries(connection: Connection, lead_id: str, limit: int) -> list[scoring_pb2.ScoreEntry]:
    with connection.scoring() as stub:
        request = scoring_pb2.ListScoreHistoryRequest(lead_id=lead_id, newest_first=True)
        return listed(stub.ListScoreHistory, request, "entries", limit)


def _print_ready(connection: Connection, *, as_json: bool) -> None:
    targets = {service: connection.target(service) for service in ("ingest", "scoring", "automation", "intelligence")}
    if as_json:
        print_json(targets)
    else:
        addresses = Table.grid(padding=(0, 2))
        for service, target in targets.items():
            addresses.add_row(service, target)
        OUT.print(addresses)
        event = (
            f'{{"event": {{"event_id": "hello-{uuid.uuid4()}", "lead_id": "ada", "event_type": "demo_request", '
            f'"event_time": "{wire.now().isoformat().replace("+00:00", "Z")}"}}}}'
        )
        OUT.print("\ntry:", style="dim")
        method = "leadscore.ingest.v1.IngestService/IngestEvent"
        OUT.print(f"grpcurl -plaintext -d '{event}' {targets['ingest']} {method}", soft_wrap=True, markup=False)
        OUT.print("leadscore lead ada\n")
        OUT.print("ready")
        OUT.file.flush()


def _print_totals(totals: Totals, *, as_json: bool) -> None:
    rate = (totals.accepted + totals.duplicate + totals.rejected) / max(totals.seconds, 0.001)
    if as_json:
        flaws = [{"line": line, "reason": reason} for line, reason in totals.flaws]
        counts = {"accepted": totals.accepted, "duplicate": totals.duplicate, "rejected": totals.rejected}
        print_json({**counts, "seconds": round(totals.seconds, 3), "events_per_second": round(rate), "flaws": flaws})
        return
    people = (
        f"{totals.accepted:,} accepted, {totals.duplicate:,} duplicate, {totals.rejected:,} rejected "
        f"in {totals.seconds:.1f} s ({rate:,.0f} events/s)"
    )
    print_view(people, as_json=False)
    for line, reason in totals.flaws:
        print_view(f"  line {line}: {reason}", as_json=False)


if __name__ == "__main__":
    main()
