"""`leadscore verify`: checks every lead against its history and its events."""

from collections.abc import Iterable
from typing import Annotated

import grpc
import typer
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.terminal.connection import Connection
from cli.terminal.counts import counted
from cli.terminal.options import STREAM_SECONDS, AsJson, BasePort
from cli.terminal.output import bar, say, show


def verify(
    resume: Annotated[str, typer.Option(help="Continue after this resume token of an interrupted verification.")] = "",
    counts_only: Annotated[
        bool, typer.Option("--counts-only", help="Only compare the numbers of entries and events; read no history.")
    ] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Check every lead against its history and its events. The exit status is 1 if a check fails.

    If it is interrupted, it prints what it has found and the token to continue with.
    """
    request = pb.VerifyScoresRequest(resume_token=resume, counts_only=counts_only)
    found: list[pb.Violation] = []
    token, final = resume, 0  # the violations found before the token are final, the others will be sent again
    with Connection(base_port).scoring() as stub:
        try:
            with bar("verifying") as progress:
                for answer in stub.VerifyScores(request, timeout=STREAM_SECONDS):
                    found += answer.violations
                    if answer.resume_token:
                        token, final = answer.resume_token, len(found)
                    events = f"{answer.events_checked:,} of {counted(answer.events_total, 'event')}"
                    progress.update(answer.leads_checked, total=answer.leads_total, note=events)
        except (grpc.RpcError, KeyboardInterrupt):
            _show(found[:final], as_json=as_json)
            if token != resume:
                say(f"continue with --resume {token}{' --counts-only' if counts_only else ''}")
            raise
    _show(found, as_json=as_json)
    show(_summary(answer), answer, as_json=as_json)
    if answer.violations_total:
        raise typer.Exit(1)


def _show(violations: Iterable[pb.Violation], *, as_json: bool) -> None:
    for each in violations:
        show(f"{each.invariant} {each.lead_id} {each.message}", each, as_json=as_json)


def _summary(answer: pb.VerifyScoresResponse) -> str:
    found = counted(answer.violations_total, "violation") if answer.violations_total else "no violations"
    return (
        f"{counted(answer.leads_checked, 'lead')}, {counted(answer.entries_checked, 'entry', 'entries')}, "
        f"{counted(answer.events_checked, 'event')}, {answer.events_pending:,} more pending, "
        f"{answer.events_parked:,} parked: {found}"
    )
