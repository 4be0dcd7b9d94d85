"""`leadscore ingest` and `leadscore formats`: sending the events in a file, and the formats that files may have."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.events.batches import Totals
from cli.events.dry_run import ask_system, preview_of
from cli.events.history import marked, with_choice
from cli.events.ingest import ingest, wait_until_scored
from cli.events.lines import Line
from cli.events.mapping.formats import AUTO, preset_path
from cli.events.views import preview_json, preview_view, totals_json, totals_lines
from cli.terminal.connection import CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import AsJson, BasePort
from cli.terminal.output import bar, print_json, say, show
from shared.mapping.presets import PRESETS
from shared.mapping.times.readers import TimeOptions, check_format, to_zone
from shared.message_files.documents import read_documents

READ = "How to read the file"
"""A heading in the help."""


class OnConflict(StrEnum):
    """What an event id that belongs to another event means."""

    ERROR = "error"
    KEEP = "keep"


def ingest_file(
    file: Annotated[
        str, typer.Argument(help="NDJSON, JSON, CSV or Parquet, or one of these in gzip or zip; - for standard input.")
    ],
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            help=f"Format of the file: {', '.join(PRESETS)}. {AUTO} detects it from the columns.",
            rich_help_panel=READ,
        ),
    ] = AUTO,
    mapping: Annotated[
        Path | None, typer.Option(help="A mapping file, instead of --format.", rich_help_panel=READ)
    ] = None,
    time_zone: Annotated[
        str, typer.Option(help="Time zone of times that name none, such as Europe/Berlin.", rich_help_panel=READ)
    ] = "",
    time_format: Annotated[
        str,
        typer.Option(help="How times are written: seconds, spreadsheet, '%d/%m/%Y %H:%M' …", rich_help_panel=READ),
    ] = "",
    encoding: Annotated[
        str, typer.Option(help="Encoding of the file, such as cp1252. Default: detected.", rich_help_panel=READ)
    ] = "",
    history: Annotated[
        bool | None,
        typer.Option(
            "--history/--live",
            help="Send the events as history, for which no automation fires, or as live events.",
            show_default="it asks if an event is older than a day",
        ),
    ] = None,
    on_conflict: Annotated[
        OnConflict,
        typer.Option(help="What the exit status says if an event id belongs to another event: error is 1, keep is 0."),
    ] = OnConflict.ERROR,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, max=1000, help="Events per call.")] = 500,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Calls in flight.")] = 4,
    wait: Annotated[bool, typer.Option("--wait", help="Return when all events are scored.")] = False,
    timeout: Annotated[float, typer.Option(help="Maximum time to wait for scores, in seconds.")] = 600.0,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Send the events in a file, which has leadscore's own layout or is an export of another tool.

    Sending a file again changes nothing. The exit status is 1 if an event is rejected. docs/importing.md describes
    the formats and mapping files.
    """
    # No other command needs pydantic, which takes a while to import.
    from cli.events.importing import ImportOptions, open_import

    if mapping and format_name != AUTO:
        raise CommandError("--format and --mapping cannot be given together")
    connection = Connection(base_port)
    options = ImportOptions(format_name, mapping, _times(time_zone, time_format), encoding or None)
    with open_import(None if file == "-" else Path(file), options) as opened:
        say(opened.notice)
        if is_dry_run:
            _preview(connection, marked(opened.lines) if history else opened.lines, opened.unit, as_json=as_json)
            return
        lines = with_choice(opened.lines, history, _ask if sys.stdin.isatty() else None)
        totals = _send(connection, lines, batch_size=batch_size, concurrency=concurrency)
    if as_json:
        print_json(totals_json(totals))
    else:
        for text in totals_lines(totals, opened.unit):
            show(text, as_json=False)
    if wait:
        _wait(connection, timeout)
    if totals.rejected or (totals.conflict and on_conflict is OnConflict.ERROR):
        raise typer.Exit(1)


def list_formats(
    name: Annotated[str, typer.Argument(help="Print the mapping file of this format.", show_default=False)] = "",
    as_json: AsJson = False,
) -> None:
    """List the formats that `leadscore ingest` knows, or print one of them as a start for your own mapping file."""
    from cli.events.mapping.files import read_preset

    if name:
        text = preset_path(name).read_text(encoding="utf-8")
        print_json(read_documents(text)[0].value) if as_json else typer.echo(text, nl=False)
        return
    titles = {each: read_preset(each).title for each in PRESETS}
    for each, title in titles.items():
        if as_json:
            print_json({"format": each, "title": title})
        else:
            show(f"{each:{max(map(len, titles))}}  {title}", as_json=False)


def _times(zone: str, time_format: str) -> TimeOptions:
    try:
        return TimeOptions(to_zone(zone) if zone else None, check_format(time_format) if time_format else "")
    except ValueError as error:
        raise CommandError(str(error)) from None


def _ask(about: str) -> bool:
    return typer.confirm(
        f"{about}. Send all events as history, so that no automation fires for them?", default=True, err=True
    )


def _preview(connection: Connection, lines: Iterator[Line], unit: str, *, as_json: bool) -> None:
    preview, system = preview_of(lines), ask_system(connection)
    if as_json:
        print_json(preview_json(preview, system))
    else:
        show(preview_view(preview, system, unit), as_json=False)
    if preview.rejected:
        raise typer.Exit(1)


def _send(connection: Connection, lines: Iterator[Line], *, batch_size: int, concurrency: int) -> Totals:
    with bar("ingesting") as progress:

        def on_progress(totals: Totals) -> None:
            done = totals.lines
            progress.update(done, note=f"{done / max(totals.seconds, 0.001):,.0f}/s")

        return ingest(
            connection,
            lines,
            batch_size=batch_size,
            concurrency=concurrency,
            on_progress=on_progress,
            on_backpressure=lambda reason: say(f"waiting, because the ingest service asked to retry later: {reason}"),
        )


def _wait(connection: Connection, timeout: float) -> None:
    with bar("scoring") as progress:
        parked_events = wait_until_scored(
            connection, timeout=timeout, on_progress=lambda left: progress.update(0, note=f"{left:,} pending")
        )
    if parked_events:
        events = counted(parked_events, "event is parked because it", "events are parked because they")
        say(f"{events} could not be scored: see `leadscore parked list`")
