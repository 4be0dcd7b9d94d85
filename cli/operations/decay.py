"""`leadscore decay`: apply the decay ticks that are due, or take ticks back."""

from datetime import date
from typing import Annotated

import typer
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.terminal.connection import CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import STREAM_SECONDS, Actor, AsJson, BasePort, Reason, actor_of, decay_time
from cli.terminal.output import bar, is_terminal, show

app = typer.Typer()


@app.callback(invoke_without_command=True)
def decay(
    context: typer.Context,
    as_of: Annotated[
        str, typer.Option(help="Apply ticks through this date (its noon in UTC) or time; default: now.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report what would happen without changing anything.")
    ] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Apply the decay ticks that are due.

    Run it daily from cron: missed days are caught up, and a second run on the same day changes nothing.
    """
    if context.invoked_subcommand:
        _refuse_options(context)
        return
    request = pb.DecayScoresRequest(dry_run=dry_run)
    if as_of:
        request.as_of_time.CopyFrom(decay_time(as_of))
    with Connection(base_port).scoring() as stub, bar("decaying") as progress:
        for answer in stub.DecayScores(request, timeout=STREAM_SECONDS):
            progress.update(answer.leads_checked, total=answer.leads_total)
    people = (
        f"through {answer.through_date}: {answer.leads_changed:,} of {counted(answer.leads_checked, 'inactive lead')} "
        f"{_moved(answer)} in {counted(answer.entries_appended, 'entry', 'entries')}"
    )
    show(people, answer, as_json=as_json)


@app.command()
def reset(
    to: Annotated[str, typer.Option(help="The last date whose tick stays applied, such as 2026-01-31.")],
    reason: Reason,
    actor: Actor = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Take back every decay tick after a date, for example after a run with a wrong --as-of.

    Nothing is deleted: each lead whose score changes gets an entry with the reason and the actor.
    """
    request = pb.ResetDecayRequest(to_date=_read_date("--to", to), reason=reason, actor=actor_of(actor))
    if not yes and is_terminal():
        question = f"Take back every decay tick after {request.to_date}, for all leads?"
        typer.confirm(question, abort=True, err=True)
    with Connection(base_port).scoring() as stub, bar("resetting") as progress:
        for answer in stub.ResetDecay(request, timeout=STREAM_SECONDS):
            progress.update(answer.leads_checked, total=answer.leads_total)
    people = (
        f"back to {answer.to_date}: {answer.leads_changed:,} of {counted(answer.leads_checked, 'lead')} "
        f"{'got' if answer.points_restored >= 0 else 'gave'} {counted(abs(answer.points_restored), 'point')} back"
    )
    show(people, answer, as_json=as_json)


def _moved(answer: pb.DecayScoresResponse) -> str:
    """Returns what decay did in all, such as `lost 3 points`; negative scores can gain points."""
    loses = answer.points_removed >= 0
    verb = ("would lose" if loses else "would gain") if answer.dry_run else ("lost" if loses else "gained")
    return f"{verb} {counted(abs(answer.points_removed), 'point')}"


def _refuse_options(context: typer.Context) -> None:
    """Refuses options before the subcommand, where they would have no effect.

    Raises:
        CommandError: There is one.
    """
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            command = context.invoked_subcommand
            raise CommandError(
                f"{parameter.opts[0]} must follow the subcommand: write `leadscore decay {command} …` first"
            )


def _read_date(option: str, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise CommandError(f"{option} is {text!r}, must be a date such as 2026-01-31") from None
