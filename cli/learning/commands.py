"""`leadscore model fit`: learns a model from what became of the leads."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from leadscore.scoring.v1 import scoring_pb2 as pb
from rich.console import Group

from cli.model.files import IN_FORCE, find_model
from cli.simulation.judgements import judgement_sections
from cli.simulation.question import Horizon, Lost, question_of, simulation_of
from cli.terminal.connection import CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import STREAM_SECONDS, AsJson, BasePort, names_in
from cli.terminal.output import bar, say, show
from shared.message_files.yaml_text import write_yaml
from shared.outcomes import Question

TOO_GOOD = 0.98
"""An AUC from which a model has probably seen the answer."""


def fit(
    conversion: Annotated[str, typer.Option(help="Event types that mean conversion, comma-separated.")],
    out: Annotated[Path, typer.Option(help="The file to write the model to.")],
    lost: Lost = "",
    landmark: Annotated[
        str, typer.Option(help="Time after a lead's first event; the model learns from what was known then.")
    ] = "7d",
    horizon: Horizon = "",
    train_before: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Learn from leads whose first event is before this day (UTC), and judge by the others.",
        ),
    ] = None,
    base: Annotated[
        str, typer.Option("--from", help="The model to take stages and next actions from: a file or a version.")
    ] = IN_FORCE,
    prop: Annotated[
        list[str] | None,
        typer.Option("--property", help="TYPE:PROPERTY: tell the events of a type apart by a property; repeatable."),
    ] = None,
    positive: Annotated[str, typer.Option(help="Event types that must not take points away.")] = "",
    negative: Annotated[str, typer.Option(help="Event types that must not give points.")] = "",
    max_rules: Annotated[int, typer.Option(min=1, max=1000, help="Learn at most this many rules.")] = 30,
    time_zone: Annotated[str, typer.Option(help="Where days begin; use that of the scoring service.")] = "UTC",
    seed: Annotated[int, typer.Option(help="Chooses the sample if there are more than 100,000 leads.")] = 0,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Learn whole points for few rules from the history, write them to a file, and judge the model by later leads.

    Nothing is stored or published: check the file, then use `leadscore simulate` and `leadscore model publish`.
    """
    try:
        from cli.learning.facts import named
        from cli.learning.fitted import fitted_model
        from cli.learning.learning import Plan, learn
    except ModuleNotFoundError as error:
        raise CommandError(f"`model fit` needs {error.name}: pip install 'leadscore[learn]'") from None
    question = question_of(conversion, lost, [landmark], horizon, train_before)
    if not question.conversions:
        raise CommandError("--conversion names no event type")
    if not out.absolute().parent.is_dir():
        raise CommandError(f"{out} cannot be written: there is no directory {out.absolute().parent}")
    signs = {name: sign for names, sign in ((positive, 1), (negative, -1)) for name in names_in(names)}
    try:
        splits = named(prop or ())
    except ValueError as error:
        raise CommandError(f"--property {error}") from None
    connection = Connection(base_port)
    source = find_model(connection, base)
    lesson = learn(connection, Plan(question, splits, signs, _zone(time_zone), max_rules, seed))
    model = fitted_model(lesson.scorecard, source, f"fitted to {lesson.scorecard.leads:,} leads, landmark {landmark}")
    asked = f"landmark {landmark}; horizon {horizon or 'none'}; conversion {conversion}; lost {lost or 'none'}"
    _report(out, model, [*lesson.provenance, asked])
    if (auc := lesson.scorecard.auc) > TOO_GOOD:
        say(
            f"warning: an AUC of {auc:.3f} is too good to be true: an event type may stand for the outcome; "
            "name it in --conversion or --lost"
        )
    summary = _judged(connection, model, question)
    show(Group(*judgement_sections(summary)), summary, as_json=as_json)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise CommandError(f"--time-zone {name!r} is unknown: use a name such as Europe/Berlin") from None


def _report(out: Path, model: pb.ScoringModel, provenance: Sequence[str]) -> None:
    """Writes the model to a file, and says in the file and to people where it comes from."""
    text = "".join(f"# {line}\n" for line in provenance) + write_yaml(model)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from None
    for line in (f"{counted(len(model.rules), 'rule')} written to {out}", *provenance):
        say(line)


def _judged(connection: Connection, model: pb.ScoringModel, question: Question) -> pb.SimulationSummary:
    """Has the scoring service judge the model beside the one in force."""
    request = simulation_of(question)
    request.draft.CopyFrom(model)
    summary = pb.SimulationSummary()
    with connection.scoring() as stub, bar("judging") as progress:
        for answer in stub.SimulateScoringModel(request, timeout=STREAM_SECONDS):
            progress.update(answer.leads_checked, total=answer.leads_total)
            summary = answer.summary
    return summary
