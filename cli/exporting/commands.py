"""`leadscore export …`: writes all leads, events, history entries, executions or audit records to a file."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.access import audit as auditing
from cli.automation import executions as automation
from cli.exporting.formats import FORMATS
from cli.exporting.pages import all_items
from cli.exporting.tables import AUDIT, EVENTS, EXECUTIONS, HISTORY, LEADS, Table
from cli.terminal.connection import CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import BasePort, span_begin, span_end
from cli.terminal.output import bar, say

PAGE = 1_000
EXECUTIONS_PAGE = 500

Format = Annotated[
    str, typer.Option("--format", help=f"{', '.join(FORMATS)}. Default: by the file's extension, or else ndjson.")
]
Output = Annotated[str, typer.Option("--output", "-o", help="The file to write. Default: standard output.")]
Since = Annotated[str, typer.Option(help="Only what happened on or after this date or time.")]
Until = Annotated[str, typer.Option(help="Only what happened through this date, or before this time.")]

app = typer.Typer(
    help="Export leads, events, history entries, executions or the audit log as NDJSON, CSV or Parquet.",
    no_args_is_help=True,
)


@app.command()
def leads(
    stage: Annotated[str, typer.Option(help="Only leads in this stage.")] = "",
    minimum_score: Annotated[int | None, typer.Option(help="Only leads with at least this score.")] = None,
    active_since: Annotated[str, typer.Option(help="Only leads with an event on or after this date or time.")] = "",
    output: Output = "-",
    file_format: Format = "",
    base_port: BasePort = 50051,
) -> None:
    """Export all leads with their scores, ordered by id.

    The export has every lead that exists when it starts. A lead that changes meanwhile has its state from before or
    after the change.
    """
    request = pb.ListLeadScoresRequest(
        order=pb.LEAD_ORDER_LEAD_ID,
        stage=stage,
        minimum_score=minimum_score,
        active_since=span_begin(active_since, "--active-since") if active_since else None,
    )
    with Connection(base_port).scoring() as stub:
        rows = all_items(stub.ListLeadScores, request, "lead_scores", page_size=PAGE)
        _write(rows, LEADS, output, file_format)


@app.command()
def history(
    since: Since = "", until: Until = "", output: Output = "-", file_format: Format = "", base_port: BasePort = 50051
) -> None:
    """Export the history entries of all leads, oldest first for each lead.

    The export has every entry that exists when it starts.
    """
    request = pb.ListScoreEntriesRequest(from_time=_begin(since), until_time=_end(until))
    with Connection(base_port).scoring() as stub:
        rows = all_items(stub.ListScoreEntries, request, "entries", page_size=PAGE)
        _write(rows, HISTORY, output, file_format)


@app.command()
def events(
    since: Since = "", until: Until = "", output: Output = "-", file_format: Format = "", base_port: BasePort = 50051
) -> None:
    """Export all accepted events as they are stored, ordered by id.

    The export has every event that was accepted before it starts, including those that are not scored yet.
    """
    request = pb.ListEventsRequest(from_time=_begin(since), until_time=_end(until))
    with Connection(base_port).scoring() as stub:
        rows = all_items(stub.ListEvents, request, "events", page_size=PAGE)
        _write(rows, EVENTS, output, file_format)


@app.command()
def executions(
    rule_id: automation.RuleId = "",
    date_bucket: automation.Date = "",
    state: automation.State = "",
    since: automation.Since = "",
    until: automation.Until = "",
    output: Output = "-",
    file_format: Format = "",
    base_port: BasePort = 50051,
) -> None:
    """Export the executions of automation rules with their deliveries, newest first.

    The export has every execution that exists when it starts.
    """
    request = automation.execution_list("", rule_id, date_bucket, state, since, until)
    with Connection(base_port).automation() as stub:
        rows = all_items(stub.ListAutomationExecutions, request, "executions", page_size=EXECUTIONS_PAGE)
        _write(rows, EXECUTIONS, output, file_format)


@app.command()
def audit(
    actor: auditing.Actor = "",
    about: auditing.Object = "",
    method: auditing.Method = "",
    since: auditing.Since = "",
    until: auditing.Until = "",
    output: Output = "-",
    file_format: Format = "",
    base_port: BasePort = 50051,
) -> None:
    """Export the audit log, newest first.

    The export has every record that exists when it starts.
    """
    request = auditing.audit_query(actor, about, method, since, until)
    with Connection(base_port).admin() as stub:
        rows = all_items(stub.ListAuditLog, request, "audit_records", page_size=PAGE)
        _write(rows, AUDIT, output, file_format)


def _begin(since: str) -> Timestamp | None:
    return span_begin(since) if since else None


def _end(until: str) -> Timestamp | None:
    return span_end(until) if until else None


def _write(rows: Iterable[Any], table: Table, output: str, file_format: str) -> None:
    """Writes the rows. A file appears under its name only when it is complete."""
    name = file_format or ("" if output == "-" else Path(output).suffix[1:])
    if file_format and name not in FORMATS:
        raise CommandError(f"--format is {name!r}, must be one of {', '.join(FORMATS)}")
    write = FORMATS.get(name, FORMATS["ndjson"])
    rows = _counting(rows, table)
    if output == "-":
        if name == "parquet":
            raise CommandError("Parquet cannot be written to standard output: name a file with --output")
        write(rows, table.columns, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    path, part = Path(output), Path(f"{output}.part")
    try:
        with part.open("wb") as stream:
            write(rows, table.columns, stream)
        part.replace(path)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _counting(rows: Iterable[Any], table: Table) -> Iterator[Any]:
    """Passes the rows on, and shows on standard error how many there were."""
    count = 0
    with bar("exporting") as progress:
        for count, row in enumerate(rows, 1):
            if not count % PAGE:
                progress.update(count)
            yield row
    say(f"exported {counted(count, table.singular, table.plural)}")
