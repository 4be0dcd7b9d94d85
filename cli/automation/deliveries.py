"""`leadscore deliveries …`: holds deliveries, and releases them."""

from typing import Annotated

import typer
from leadscore.automation.v1 import automation_pb2 as pb

from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import Actor, AsJson, BasePort, actor_of, span_end
from cli.terminal.output import say, show
from shared import wire

Why = Annotated[str, typer.Option("--reason", help="Why deliveries are held; `leadscore status` shows it.")]

app = typer.Typer(
    help="Hold the deliveries of all rules, for example after a restore, and release them.", no_args_is_help=True
)


@app.command("hold")
def hold_deliveries(*, reason: Why, actor: Actor = "", base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Hold all deliveries until they are released, across restarts. Rules still fire, and their deliveries wait."""
    with Connection(base_port).automation() as stub:
        request = pb.HoldDeliveriesRequest(reason=reason, actor=actor_of(actor))
        hold = stub.HoldDeliveries(request, timeout=CALL_SECONDS).hold
    show(f"deliveries are on hold: {hold.reason} ({hold.actor})", hold, as_json=as_json)


@app.command("release")
def release_deliveries(
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel pending deliveries instead of sending them.")
    ] = False,
    until: Annotated[
        str,
        typer.Option(
            help="With --cancel: cancel only what was recorded up to the end of this date, or before this time."
        ),
    ] = "",
    actor: Actor = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """End the hold and deliver what is pending, or cancel it. `executions retry` can deliver cancelled ones later."""
    if until and not cancel:
        raise CommandError("--until works only with --cancel: add --cancel")
    request = pb.ReleaseDeliveriesRequest(actor=actor_of(actor))
    if cancel:
        request.cancel_recorded_before.CopyFrom(span_end(until) if until else wire.to_timestamp(wire.now()))
    with Connection(base_port).automation() as stub:
        total = stub.ReleaseDeliveries(request, timeout=CALL_SECONDS)
        while not total.released:
            say(f"{counted(total.cancelled_count, 'execution')} cancelled so far")
            more = stub.ReleaseDeliveries(request, timeout=CALL_SECONDS)
            total = pb.ReleaseDeliveriesResponse(
                cancelled_count=total.cancelled_count + more.cancelled_count, released=more.released
            )
    cancelled = f"; {counted(total.cancelled_count, 'execution')} cancelled" if cancel else ""
    show(f"deliveries are released{cancelled}", total, as_json=as_json)
