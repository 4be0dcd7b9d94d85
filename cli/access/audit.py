"""`leadscore audit list`: what callers have decided."""

import sys
from itertools import chain
from typing import Annotated

import typer
from leadscore.admin.v1 import admin_pb2 as pb

from cli.access.views import records_table
from cli.terminal.connection import Connection
from cli.terminal.options import AsJson, BasePort, Limit, span_begin, span_end
from cli.terminal.output import say, show
from cli.terminal.pages import in_pages

Actor = Annotated[str, typer.Option("--actor", help="Only calls of this actor.")]
Object = Annotated[str, typer.Option("--object", help="Only calls about this, such as 'rule call-hot' or 'lead ada'.")]
Method = Annotated[str, typer.Option("--method", help="Only calls of this method, such as AdjustLeadScore.")]
Since = Annotated[str, typer.Option(help="Only calls on or after this date or time.")]
Until = Annotated[str, typer.Option(help="Only calls through this date, or before this time.")]

app = typer.Typer(help="List the calls that changed rules, models, scores, keys or leads.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `list` a command of its own although it is the only one."""


@app.command("list")
def list_records(
    actor: Actor = "",
    about: Object = "",
    method: Method = "",
    since: Since = "",
    until: Until = "",
    limit: Limit = 50,
    every: Annotated[bool, typer.Option("--all", help="Print all of them, whatever --limit is.")] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """List calls that changed rules, models, scores, keys or leads, newest first.

    `leadscore export audit` writes them to a file.
    """
    request = audit_query(actor, about, method, since, until)
    printed = 0
    with Connection(base_port).admin() as stub:
        pages = in_pages(stub.ListAuditLog, request, "audit_records", sys.maxsize if every else limit)
        # Pages of JSON are printed as they come, because there can be any number of them.
        for found in pages if as_json else [list(chain.from_iterable(pages))]:
            show(records_table(found), *found, as_json=as_json)
            printed += len(found)
    if request.page_token:
        say(f"there are more than these {printed:,}; --all prints all of them")


def audit_query(actor: str, about: str, method: str, since: str, until: str) -> pb.ListAuditLogRequest:
    """Returns the request for the records that the options of a command select; an empty text means all.

    Raises:
        CommandError: The start or the end of the time span is invalid.
    """
    return pb.ListAuditLogRequest(
        actor=actor,
        object=about,
        method=method,
        from_time=span_begin(since) if since else None,
        until_time=span_end(until) if until else None,
    )
