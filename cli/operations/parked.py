"""`leadscore parked …`: events and changes that failed repeatedly and are not retried automatically."""

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from leadscore.automation.v1 import automation_pb2
from leadscore.scoring.v1 import scoring_pb2
from rich.console import RenderableType

from cli.terminal import pieces
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import Actor, AsJson, BasePort, Limit, actor_of
from cli.terminal.output import print_json, show
from cli.terminal.pages import listed
from cli.terminal.pieces import minute, plain

app = typer.Typer(help="List, retry and discard events and changes that failed repeatedly.", no_args_is_help=True)


@app.command("list")
def list_parked(limit: Limit = 50, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """List parked events (scoring) and parked changes (automation) with the reasons. --limit applies to each."""
    connection = Connection(base_port)
    with connection.scoring() as scoring:
        asked_events = scoring_pb2.ListParkedEventsRequest()
        events = listed(scoring.ListParkedEvents, asked_events, "parked_events", limit)
    with connection.automation() as automation:
        asked_changes = automation_pb2.ListParkedChangesRequest()
        changes = listed(automation.ListParkedChanges, asked_changes, "parked_changes", limit)
    show(_table(events, changes), *events, *changes, as_json=as_json)


@app.command("retry")
def retry_parked(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of events or changes.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="All parked events and changes.")] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Retry parked events and changes after the cause is fixed."""
    if every == bool(ids):
        raise CommandError("give either ids or --all")
    connection = Connection(base_port)
    with connection.scoring() as scoring:
        retry_events = scoring_pb2.RetryParkedEventsRequest(event_ids=ids, all=every)
        events = scoring.RetryParkedEvents(retry_events, timeout=CALL_SECONDS).retried_count
    with connection.automation() as automation:
        retry_changes = automation_pb2.RetryParkedChangesRequest(change_ids=ids, all=every)
        changes = automation.RetryParkedChanges(retry_changes, timeout=CALL_SECONDS).retried_count
    if as_json:
        print_json({"retried_events": events, "retried_changes": changes})
    else:
        show(f"{counted(events, 'event')} and {counted(changes, 'change')} will be retried", as_json=False)


@app.command("discard")
def discard_parked(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of events or changes.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="All parked events and changes.")] = False,
    *,
    reason: Annotated[str, typer.Option(help="Why; stored with each of them.")],
    actor: Actor = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Discard parked events and changes for good: they are never scored or evaluated. Nothing is deleted."""
    if every == bool(ids):
        raise CommandError("give either ids or --all")
    connection, who = Connection(base_port), actor_of(actor)
    with connection.scoring() as scoring:
        asked_events = scoring_pb2.DiscardParkedEventsRequest(event_ids=ids, all=every, reason=reason, actor=who)
        events = scoring.DiscardParkedEvents(asked_events, timeout=CALL_SECONDS).discarded_count
    with connection.automation() as automation:
        asked_changes = automation_pb2.DiscardParkedChangesRequest(change_ids=ids, all=every, reason=reason, actor=who)
        changes = automation.DiscardParkedChanges(asked_changes, timeout=CALL_SECONDS).discarded_count
    if as_json:
        print_json({"discarded_events": events, "discarded_changes": changes})
    else:
        show(f"discarded: {counted(events, 'event')} and {counted(changes, 'change')}", as_json=False)


def _table(events: Iterable[scoring_pb2.ParkedEvent], changes: Iterable[automation_pb2.ParkedChange]) -> RenderableType:
    columns = ("kind", "id", "lead", "attempts", "parked (UTC)", "reason")
    optional, unbroken = ["attempts", "parked (UTC)", "lead"], {"parked (UTC)"}
    table = pieces.table(*columns, right={"attempts"}, optional=optional, unbroken=unbroken)
    for event in events:
        table.add_row("event", plain(event.event_id), *_cells(event))
    for change in changes:
        table.add_row("change", plain(change.change_id), *_cells(change))
    return table


def _cells(parked: scoring_pb2.ParkedEvent | automation_pb2.ParkedChange) -> Iterator[RenderableType]:
    yield plain(parked.lead_id)
    yield str(parked.attempts)
    yield minute(parked.park_time)
    yield plain(parked.reason)
