"""`leadscore model health`: whether the model still fits the leads that come in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from leadscore.scoring.v1 import scoring_pb2 as pb
from rich.console import Group, RenderableType
from rich.text import Text

from cli.health.findings import Finding, findings
from cli.simulation.question import PREDICT, Horizon, Lost
from cli.terminal import pieces
from cli.terminal.connection import Connection
from cli.terminal.counts import counted
from cli.terminal.files import require_directory
from cli.terminal.findings import STYLES, outcome, worst
from cli.terminal.options import STREAM_SECONDS, AsJson, BasePort, duration_of, names_in, span_begin
from cli.terminal.output import bar, print_json, show, to_json
from shared import wire
from shared.message_files import durations


def health(
    since: Annotated[
        str,
        typer.Option(
            help="Compare leads that began from this time on, such as the day of the fit, with earlier ones.",
            show_default="the publication of the model in force",
        ),
    ] = "",
    conversion: Annotated[
        str,
        typer.Option(
            help="Event types that mean conversion, comma-separated; without them, only scores and events are checked.",
            rich_help_panel=PREDICT,
        ),
    ] = "",
    lost: Lost = "",
    landmark: Annotated[
        str,
        typer.Option(
            help="Time after a lead's first event at which its score is taken.",
            show_default="that of the calibration, or 7d",
            rich_help_panel=PREDICT,
        ),
    ] = "",
    horizon: Horizon = "",
    metrics_file: Annotated[
        Path | None,
        typer.Option(help="Write the verdicts to this file for Prometheus, as its textfile collector reads them."),
    ] = None,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Compare the leads since a date with those before it, by the model in force, and say what to do.

    The exit status is 0 (ok) if the model fits, 1 (warning) if a figure is worth a look, 2 (critical) if something must
    be done.
    """
    if metrics_file:
        require_directory(metrics_file)
    request = pb.CheckModelHealthRequest(
        conversion_event_types=names_in(conversion),
        lost_event_types=names_in(lost),
        since_time=span_begin(since) if since else None,
        landmark=duration_of("--landmark", landmark) if landmark else None,
        horizon=duration_of("--horizon", horizon) if horizon else None,
    )
    found = pb.ModelHealth()
    with Connection(base_port).scoring() as stub, bar("checking the model") as progress:
        for answer in stub.CheckModelHealth(request, timeout=STREAM_SECONDS):
            progress.update(answer.leads_checked, total=answer.leads_total)
            found = answer.health
    checked = list(findings(found, judged=bool(request.conversion_event_types)))
    if as_json:
        print_json(to_json(found) | {"findings": {each.subject: each.verdict for each in checked}} | outcome(checked))
    else:
        show(Group(*_sections(found, checked, request)), as_json=False)
    if metrics_file:
        from cli.health.metrics import write_metrics  # loads the client of Prometheus, which few calls need

        write_metrics(metrics_file, checked)
    raise typer.Exit(int(worst(checked)))


def _sections(
    found: pb.ModelHealth, checked: list[Finding], request: pb.CheckModelHealthRequest
) -> Iterator[RenderableType]:
    grid = pieces.grid()
    grid.add_row("model", f"version {found.model_version}")
    grid.add_row("leads", _leads(found))
    grid.add_row("landmark", durations.to_text(found.landmark))
    if found.HasField("horizon"):
        grid.add_row("horizon", durations.to_text(found.horizon))
    yield grid
    yield Text()
    yield _findings_table(checked)
    for each in checked:
        yield Text.assemble(f"{each.subject}: ", pieces.plain(each.advice, _style(each)))
    if not request.conversion_event_types:
        yield pieces.plain("name --conversion, and --lost or --horizon, to check rates and probabilities, too")
    if any(each.subject.startswith("scores") and each.level for each in checked):
        yield pieces.heading("leads by score")
        yield _bins_table(found.stability)


def _leads(found: pb.ModelHealth) -> str:
    date = wire.to_time(found.since_time)
    return (
        f"{found.since.lead_count:,} that began since {date:%Y-%m-%d %H:%M} UTC, compared with "
        f"{counted(found.before.lead_count, 'earlier one')}"
    )


def _findings_table(checked: list[Finding]) -> RenderableType:
    table = pieces.table("what", "before", "since", "verdict", right={"before", "since"})
    for each in checked:
        table.add_row(each.subject, *each.figures, Text(each.verdict, _style(each)))
    return table


def _style(finding: Finding) -> str:
    return STYLES[finding.level] if finding.is_known else "dim"


def _bins_table(stability: pb.ScoreStability) -> RenderableType:
    table = pieces.table("score from", "before", "since", right={"score from", "before", "since"})
    totals = [sum(getattr(each, name) for each in stability.bins) or 1 for name in ("before_count", "since_count")]
    for each in stability.bins:
        shares = (each.before_count / totals[0], each.since_count / totals[1])
        table.add_row(f"{each.minimum_score:,}", *(f"{share:.1%}" for share in shares))
    return table
