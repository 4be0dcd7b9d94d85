"""`leadscore compact`: remove the properties of old events, and prove that the scores are still right."""

import re
from datetime import timedelta
from typing import Annotated

import typer
from leadscore.admin.v1 import admin_pb2 as pb

from cli.operations.verify import verify
from cli.terminal.connection import CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import STREAM_SECONDS, AsJson, BasePort
from cli.terminal.output import bar, show
from shared import wire

_DAYS = re.compile(r"([1-9]\d{0,4})d")


def compact(
    older_than: Annotated[str, typer.Option(help="The age in days from which events lose their properties: 400d.")],
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not check all leads against their histories afterwards.")
    ] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Remove the properties of old events and the bodies of old deliveries. Scores stay, and are verified afterwards.

    Events of type `identify` keep their properties, which are the attributes of their lead. The exit status is 1 if a
    check fails. A run that was interrupted is completed by the next one.
    """
    before = wire.to_timestamp(wire.now() - _age(older_than))
    with Connection(base_port).admin() as stub, bar("compacting") as progress:
        for answer in stub.CompactEvents(pb.CompactEventsRequest(before=before), timeout=STREAM_SECONDS):
            progress.update(answer.leads_checked, total=answer.leads_total)
    events, leads = counted(answer.events_compacted, "event"), counted(answer.leads_checked, "lead")
    executions = counted(answer.executions_compacted, "execution")
    people = f"removed the properties of {events} of {leads}, and the bodies of deliveries of {executions}"
    show(people, answer, as_json=as_json)
    if not no_verify:
        verify(base_port=base_port, as_json=as_json)


def _age(text: str) -> timedelta:
    found = _DAYS.fullmatch(text)
    if not found:
        raise CommandError(f"--older-than is {text!r}, must be a number of days such as 400d")
    return timedelta(days=int(found[1]))
