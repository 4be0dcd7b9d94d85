"""`leadscore verify`: checks every lead against its history and its events."""

import typer
from leadscore.scoring.v1 import scoring_pb2

from cli.terminal.connection import Connection
from cli.terminal.counts import counted
from cli.terminal.options import STREAM_SECONDS, AsJson, BasePort
from cli.terminal.output import bar, show


def verify(base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Check every lead against its history and its events. The exit status is 1 if a check fails."""
    violations: list[scoring_pb2.Violation] = []
    with Connection(base_port).scoring() as stub, bar("verifying") as progress:
        for answer in stub.VerifyScores(scoring_pb2.VerifyScoresRequest(), timeout=STREAM_SECONDS):
            violations += answer.violations
            progress.update(answer.leads_checked, total=answer.leads_total)
    for violation in violations:
        show(f"{violation.invariant} {violation.lead_id} {violation.message}", violation, as_json=as_json)
    people = (
        f"{counted(answer.leads_checked, 'lead')}, {counted(answer.entries_checked, 'entry', 'entries')}, "
        f"{counted(answer.events_checked, 'event')}, {answer.events_pending:,} more pending, "
        f"{answer.events_parked:,} parked: {counted(len(violations), 'violation') if violations else 'no violations'}"
    )
    show(people, answer, as_json=as_json)
    if violations:
        raise typer.Exit(1)
