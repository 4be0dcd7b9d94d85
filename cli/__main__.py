"""`leadscore`: every command, and the group that its module belongs to."""

import os
import sys
from typing import Annotated

import typer

from cli import VERSION
from cli.access import audit, keys
from cli.automation import deliveries, executions, rules
from cli.doctor.commands import doctor
from cli.events import commands as events
from cli.exporting import commands as exporting
from cli.health.commands import health
from cli.leads import commands as leads
from cli.leads import corrections
from cli.leads.watch import watch
from cli.leads.what_if import what_if
from cli.learning.commands import fit
from cli.local import commands as local
from cli.model import commands as models
from cli.operations import decay, parked
from cli.operations.status import status
from cli.operations.verify import verify
from cli.privacy.access_request import export_lead
from cli.privacy.compact import compact
from cli.privacy.erase import erase
from cli.simulation.commands import simulate
from cli.terminal.connection import CommandError
from cli.terminal.output import OUT, printable

app = typer.Typer(
    help="Score leads: run the system, send it events, query the results. See `leadscore COMMAND --help`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # or the second paragraph of a help text would keep the line breaks of its docstring
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(local.up)
app.command()(local.down)
app.command()(local.demo)
app.command("ingest")(events.ingest_file)
app.command("formats")(events.list_formats)
exporting.app.command("lead")(export_lead)
app.add_typer(exporting.app, name="export")
app.command()(leads.lead)
app.command()(leads.history)
app.command()(leads.top)
app.command()(leads.summary)
app.command("what-if")(what_if)
app.command()(watch)
app.command()(corrections.adjust)
app.command()(corrections.retract)
app.command()(corrections.rebuild)
models.app.command("fit")(fit)
models.app.command("health")(health)
app.add_typer(models.app, name="model")
app.command()(simulate)
app.add_typer(rules.app, name="rules")
app.add_typer(executions.app, name="executions")
app.add_typer(deliveries.app, name="deliveries")
app.command()(status)
app.command()(doctor)
app.command()(verify)
app.add_typer(parked.app, name="parked")
app.add_typer(decay.app, name="decay")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.command()(erase)
app.command()(compact)


def main() -> None:
    """Runs the command line. An expected failure prints one line, plus one per mistake, and exits with status 1."""
    try:
        app()
    except CommandError as error:
        sys.exit("\n  ".join(map(printable, (f"leadscore: {error}", *error.details))))


@app.callback(invoke_without_command=True)
def _options(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    tls: Annotated[
        bool, typer.Option("--tls", help="Connect over TLS, as LEADSCORE_TLS=true does; see docs/security.md.")
    ] = False,
) -> None:
    if tls:
        os.environ["LEADSCORE_TLS"] = "true"
    if show_version:
        OUT.print(VERSION)
        raise typer.Exit


if __name__ == "__main__":
    main()
