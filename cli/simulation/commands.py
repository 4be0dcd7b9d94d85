"""`leadscore simulate`: shows what publishing a model would change."""

from collections.abc import Iterable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import grpc
import typer
from leadscore.automation.v1.automation_pb2_grpc import AutomationServiceStub
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.model.files import IN_FORCE, find_model
from cli.simulation.automations import executions_per_rule
from cli.simulation.question import Horizon, Lost, question_of, simulation_of
from cli.simulation.run import Simulation
from cli.simulation.views import simulation_view
from cli.terminal.connection import CommandError, Connection
from cli.terminal.options import STREAM_SECONDS, AsJson, BasePort, names_in
from cli.terminal.output import bar, print_json, say, show, to_json


def simulate(
    source: Annotated[str, typer.Argument(metavar="MODEL", help="A file, or a version.")],
    conversion: Annotated[
        str,
        typer.Option(help="Event types that mean conversion, comma-separated; shows how well scores predict it."),
    ] = "",
    lost: Lost = "",
    landmark: Annotated[
        str,
        typer.Option(help="Times after a lead's first event at which its score is taken, such as 1h,1d,7d."),
    ] = "7d",
    horizon: Horizon = "",
    train_before: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Judge only leads whose first event is on or after this day (UTC)."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report with plots to this file.")] = None,
    limit: Annotated[
        int, typer.Option(min=0, max=10_000, help="Print at most this many leads, largest change first.")
    ] = 20,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Show what publishing a model with `--mode rescore` would change for every lead. Nothing is stored."""
    writer = _report_writer(report)
    connection = Connection(base_port)
    request = simulation_of(question_of(conversion, lost, names_in(landmark), horizon, train_before))
    found = Simulation(find_model(connection, IN_FORCE), find_model(connection, source), source, limit)
    if found.after.version:
        request.version = found.after.version
    else:
        request.draft.CopyFrom(found.after)
    with connection.scoring() as stub, connection.automation() as rules, bar("simulating") as progress:
        for answer in stub.SimulateScoringModel(request, timeout=STREAM_SECONDS):
            found.add(answer)
            _preview(rules, answer.differences, found)
            progress.update(answer.leads_checked, total=answer.leads_total)
    if report and writer:
        _write(report, writer.to_html(found))
    if as_json:
        _print_json(found)
    else:
        show(simulation_view(found), as_json=False)


def _report_writer(report: Path | None) -> ModuleType | None:
    """Returns the report module; fails before the simulation starts if no report can be written.

    It is imported only for reports, because it needs the optional packages of `leadscore[report]`.
    """
    if not report:
        return None
    if not report.absolute().parent.is_dir():
        raise CommandError(f"{report} cannot be written: there is no directory {report.absolute().parent}")
    try:
        return import_module("cli.simulation.report")
    except ModuleNotFoundError as error:
        raise CommandError(f"--report needs {error.name}: pip install 'leadscore[report]'") from None


def _write(path: Path, html: str) -> None:
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    say(f"report written to {path}")


def _preview(rules: AutomationServiceStub, differences: Iterable[pb.LeadDifference], found: Simulation) -> None:
    """Asks the automation service which rules would fire. If it does not answer, the simulation continues without."""
    if found.automations is None:
        return
    try:
        found.automations.update(executions_per_rule(rules, differences))
    except grpc.RpcError:
        say("the automation service does not answer; the rules that would fire are left out")
        found.automations = None


def _print_json(found: Simulation) -> None:
    for each in found.largest:
        print_json(to_json(each))
    print_json(to_json(found.summary) | {"automations": found.automations})
