"""`leadscore ingest`: sends the events of a file."""

from pathlib import Path
from typing import Annotated

import typer

from cli.events.batches import Totals
from cli.events.ingest import ingest, wait_until_scored
from cli.events.reading import read_events
from cli.terminal.connection import Connection
from cli.terminal.counts import counted
from cli.terminal.options import AsJson, BasePort
from cli.terminal.output import bar, print_json, say, show


def ingest_file(
    file: Annotated[str, typer.Argument(help="NDJSON or CSV, plain or gzip; - for standard input.")],
    batch_size: Annotated[int, typer.Option(min=1, max=1000, help="Events per call.")] = 500,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Calls in flight.")] = 4,
    wait: Annotated[bool, typer.Option("--wait", help="Return when all events are scored.")] = False,
    timeout: Annotated[float, typer.Option(help="Maximum time to wait for scores, in seconds.")] = 600.0,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Send the events of a file.

    Fields: lead_id, event_id, event_type, properties, source, and the time as occurred_at, event_time or timestamp.
    Sending a file again changes nothing. The exit status is 1 if an event was rejected.
    """
    connection = Connection(base_port)
    lines = read_events(None if file == "-" else Path(file))
    with bar("ingesting") as progress:

        def on_progress(totals: Totals) -> None:
            done = totals.lines
            progress.update(done, note=f"{done / max(totals.seconds, 0.001):,.0f}/s")

        totals = ingest(
            connection,
            lines,
            batch_size=batch_size,
            concurrency=concurrency,
            on_progress=on_progress,
            on_backpressure=lambda reason: say(f"waiting, because the ingest service asks to retry later: {reason}"),
        )
    _print_totals(totals, as_json=as_json)
    if wait:
        with bar("scoring") as progress:
            parked_events = wait_until_scored(
                connection, timeout=timeout, on_progress=lambda left: progress.update(0, note=f"{left:,} pending")
            )
        if parked_events:
            events = counted(parked_events, "event is parked because it", "events are parked because they")
            say(f"{events} could not be scored: see `leadscore parked list`")
    if totals.rejected:
        raise typer.Exit(1)


def _print_totals(totals: Totals, *, as_json: bool) -> None:
    rate = totals.lines / max(totals.seconds, 0.001)
    if as_json:
        flaws = [{"line": line, "reason": reason} for line, reason in totals.flaws]
        counts = {"accepted": totals.accepted, "duplicate": totals.duplicate, "rejected": totals.rejected}
        print_json({**counts, "seconds": round(totals.seconds, 3), "events_per_second": round(rate), "flaws": flaws})
        return
    people = (
        f"{totals.accepted:,} accepted, {totals.duplicate:,} duplicate, {totals.rejected:,} rejected "
        f"in {totals.seconds:.1f} s ({rate:,.0f} events/s)"
    )
    show(people, as_json=False)
    for line, reason in totals.flaws:
        show(f"  line {line}: {reason}", as_json=False)
