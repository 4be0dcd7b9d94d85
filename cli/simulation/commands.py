"""`leadscore simulate`: shows what publishing a model would change."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import grpc
import typer
from leadscore.automation.v1.automation_pb2_grpc import AutomationServiceStub
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.model.files import IN_FORCE, find_model
from cli.simulation.automations import executions_per_rule
from cli.simulation.question import PREDICT, AsKnown, Horizon, Lost, question_of, simulation_of
from cli.simulation.report_file import ReportFile, report_writer
from cli.simulation.run import Simulation
from cli.simulation.views import simulation_view
from cli.terminal.connection import Connection
from cli.terminal.options import STREAM_SECONDS, AsJson, BasePort, names_in
from cli.terminal.output import bar, print_json, say, show, to_json


def simulate(
    source: Annotated[str, typer.Argument(metavar="MODEL", help="A file, or a version.")],
    conversion: Annotated[
        str,
        typer.Option(
            help="Event types that mean conversion, comma-separated; shows how well scores predict it.",
            rich_help_panel=PREDICT,
        ),
    ] = "",
    lost: Lost = "",
    landmark: Annotated[
        str,
        typer.Option(
            help="Times after a lead's first event at which its score is taken, such as 1h,1d,7d.",
            rich_help_panel=PREDICT,
        ),
    ] = "7d",
    horizon: Horizon = "",
    train_before: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Judge only leads whose first event is on or after this day (UTC).",
            rich_help_panel=PREDICT,
        ),
    ] = None,
    as_known: AsKnown = False,
    report: ReportFile = None,
    limit: Annotated[
        int, typer.Option(min=0, max=10_000, help="Print at most this many leads, largest change first.")
    ] = 20,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Show what publishing a model with `--mode rescore` would change for every lead. Nothing is stored."""
    writer = report_writer(report)
    connection = Connection(base_port)
    question = question_of(conversion, lost, names_in(landmark), horizon, train_before, as_known=as_known)
    request = simulation_of(question)
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
    writer.write(found)
    if as_json:
        _print_json(found)
    else:
        show(simulation_view(found), as_json=False)


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
