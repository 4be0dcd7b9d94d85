"""`leadscore model fit`: learns a model from what became of the leads."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from leadscore.scoring.v1 import scoring_pb2 as pb
from rich.console import Group

from cli.model.files import IN_FORCE, find_model
from cli.simulation.judgements import auc_of, judgement_sections
from cli.simulation.question import PREDICT, AsKnown, Horizon, Lost, question_of, simulation_of
from cli.simulation.report_file import ReportFile, report_writer
from cli.simulation.run import Simulation
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.files import require_directory
from cli.terminal.options import STREAM_SECONDS, AsJson, BasePort, names_in
from cli.terminal.output import bar, printable, say, show
from shared.message_files.yaml_text import write_yaml
from shared.outcomes import Question

REPORTED_LEADS = 20
"""Leads that the report lists, largest change first."""
LEARN, SHAPE = "What to learn from", "What the model may look like"
"""Headings in the help."""


def fit(
    conversion: Annotated[
        str, typer.Option(help="Event types that mean conversion, comma-separated.", rich_help_panel=PREDICT)
    ],
    out: Annotated[Path, typer.Option(help="The file to write the model to.")],
    base: Annotated[
        str, typer.Option("--from", help="The model to take stages and next actions from: a file or a version.")
    ] = IN_FORCE,
    report: ReportFile = None,
    draft: Annotated[bool, typer.Option("--draft", help="Store the model as a draft version, too.")] = False,
    lost: Lost = "",
    landmark: Annotated[
        str,
        typer.Option(
            help="Time after a lead's first event; the model learns from what was known then.",
            rich_help_panel=PREDICT,
        ),
    ] = "7d",
    horizon: Horizon = "",
    train_before: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Learn from leads whose first event is before this day (UTC), and judge by the others.",
            rich_help_panel=PREDICT,
        ),
    ] = None,
    as_known: AsKnown = False,
    prop: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            help="TYPE:PROPERTY: tell the events of a type apart by a property; repeatable.",
            rich_help_panel=LEARN,
        ),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="Learn from this attribute only; repeatable. `none`: from none.",
            show_default="all",
            rich_help_panel=LEARN,
        ),
    ] = None,
    without: Annotated[
        str, typer.Option(help="Event types to learn nothing from, comma-separated.", rich_help_panel=LEARN)
    ] = "",
    accept_leaks: Annotated[
        bool,
        typer.Option(
            "--accept-leaks",
            help="Learn even from events that may be part of the outcome.",
            rich_help_panel=LEARN,
        ),
    ] = False,
    time_zone: Annotated[
        str, typer.Option(help="Where days begin; use that of the scoring service.", rich_help_panel=LEARN)
    ] = "UTC",
    seed: Annotated[
        int,
        typer.Option(help="Chooses the sample of more than 50,000 leads with one outcome.", rich_help_panel=LEARN),
    ] = 0,
    max_rules: Annotated[
        int, typer.Option(min=1, max=1000, help="Learn at most this many rules.", rich_help_panel=SHAPE)
    ] = 30,
    decay: Annotated[
        str,
        typer.Option(
            help="The half-life of the score, such as 7d, or `none`; `auto` chooses what predicts best.",
            rich_help_panel=SHAPE,
        ),
    ] = "auto",
    positive: Annotated[
        str, typer.Option(help="Event types and attributes that must not take points away.", rich_help_panel=SHAPE)
    ] = "",
    negative: Annotated[
        str, typer.Option(help="Event types and attributes that must not give points.", rich_help_panel=SHAPE)
    ] = "",
    increasing: Annotated[
        list[str] | None,
        typer.Option(
            help="An attribute or TYPE:PROPERTY whose larger numbers must not give less; repeatable.",
            rich_help_panel=SHAPE,
        ),
    ] = None,
    decreasing: Annotated[
        list[str] | None,
        typer.Option(
            help="An attribute or TYPE:PROPERTY whose larger numbers must not give more; repeatable.",
            rich_help_panel=SHAPE,
        ),
    ] = None,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Learn a model from the history, as few rules with whole points, write it to a file, and judge it by later leads.

    Nothing is published: check the file, then use `leadscore simulate` and `leadscore model publish`.
    """
    try:
        from cli.learning import fit_options, learning
        from cli.learning.fitted import fitted_model
    except ModuleNotFoundError as error:
        raise CommandError(f"`model fit` needs {error.name}: pip install 'leadscore[learn]'") from None
    question = question_of(conversion, lost, [landmark], horizon, train_before, as_known=as_known)
    if not question.conversions:
        raise CommandError("--conversion names no event type")
    require_directory(out)
    writer = report_writer(report)
    plan = learning.Plan(
        question,
        _zone(time_zone),
        splits=fit_options.splits_of(prop or (), question),
        attributes=fit_options.attributes_of(attribute),
        without=frozenset(names_in(without)),
        constraints=fit_options.constraints_of(
            (positive, negative), (increasing or (), decreasing or ()), decay, question
        ),
        max_rules=max_rules,
        seed=seed,
        accept_leaks=accept_leaks,
    )
    connection = Connection(base_port)
    source = find_model(connection, base)
    result = learning.learn(connection, plan)
    name = f"fitted to {result.lead_count:,} leads, landmark {landmark}"
    model = fitted_model(result.scorecard, question, source, name)
    _report(out, model, result.provenance, result.notes)
    found = Simulation(find_model(connection, IN_FORCE), model, out.name, REPORTED_LEADS)
    _judge(connection, found, question)
    provenance = [*result.provenance, *_judged_later(found.summary)]
    _write(out, model, provenance)
    writer.write(found, [*provenance, *result.notes])
    if draft:
        say(f"stored as version {_stored(connection, model)}, a draft: nothing is published")
    show(Group(*judgement_sections(found.summary)), found.summary, as_json=as_json)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise CommandError(f"--time-zone {name!r} is unknown: use a name such as Europe/Berlin") from None


def _report(out: Path, model: pb.ScoringModel, provenance: Sequence[str], notes: Sequence[str]) -> None:
    """Writes the model to a file, and says in the file and to people where it comes from."""
    _write(out, model, provenance)
    rules = counted(len(model.rules), "rule")
    fit_rules = f" and {counted(len(model.fit.rules), 'fit rule')}" if model.HasField("fit") else ""
    for line in (f"{rules}{fit_rules} written to {out}", *provenance, *notes):
        say(line)


def _write(out: Path, model: pb.ScoringModel, provenance: Iterable[str]) -> None:
    try:
        out.write_text("".join(f"# {printable(line)}\n" for line in provenance) + write_yaml(model), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from None


def _judged_later(summary: pb.SimulationSummary) -> Iterator[str]:
    """Yields how well the model predicts the leads that it was not fitted to."""
    for judgement in summary.judgements:
        if judgement.after.HasField("auc"):
            yield f"AUC of the {judgement.after.lead_count:,} leads that began later: {auc_of(judgement.after)}"


def _stored(connection: Connection, model: pb.ScoringModel) -> int:
    """Stores the model as a draft and returns its version."""
    with connection.scoring() as stub:
        request = pb.CreateScoringModelRequest(scoring_model=model)
        return stub.CreateScoringModel(request, timeout=CALL_SECONDS).scoring_model.version


def _judge(connection: Connection, found: Simulation, question: Question) -> None:
    """Has the scoring service judge the model beside the one in force."""
    request = simulation_of(question)
    request.draft.CopyFrom(found.after)
    with connection.scoring() as stub, bar("judging") as progress:
        for answer in stub.SimulateScoringModel(request, timeout=STREAM_SECONDS):
            progress.update(answer.leads_checked, total=answer.leads_total)
            found.add(answer)
