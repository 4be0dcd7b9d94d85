"""`leadscore model fit`: learns a model from what became of the leads."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from google.protobuf.duration_pb2 import Duration
from leadscore.scoring.v1 import scoring_pb2 as pb
from rich.console import Group

from cli.model.files import IN_FORCE, find_model
from cli.simulation.judgements import judgement_sections
from cli.terminal.connection import CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import STREAM_SECONDS, AsJson, BasePort
from cli.terminal.output import bar, say, show
from shared import wire
from shared.message_files import durations
from shared.message_files.yaml_text import write_yaml
from shared.outcomes import Question

TOO_GOOD = 0.98
"""An AUC from which a model has probably seen the answer."""


def fit(
    conversion: Annotated[str, typer.Option(help="Event types that mean conversion, comma-separated.")],
    out: Annotated[Path, typer.Option(help="The file to write the model to.")],
    lost: Annotated[str, typer.Option(help="Event types that mean that a lead is lost, comma-separated.")] = "",
    landmark: Annotated[
        str, typer.Option(help="Time after a lead's first event; the model learns from what was known then.")
    ] = "7d",
    horizon: Annotated[
        str, typer.Option(help="Time after the landmark in which a conversion counts.", show_default="any later one")
    ] = "",
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
    connection, span = Connection(base_port), _duration("--landmark", landmark)
    question = Question(
        frozenset(_names(conversion)),
        frozenset(_names(lost)),
        (span.ToTimedelta(),),
        _duration("--horizon", horizon).ToTimedelta() if horizon else None,
        train_before.replace(tzinfo=UTC) if train_before else None,
    )
    _check(question, out)
    signs = {name: sign for names, sign in ((positive, 1), (negative, -1)) for name in _names(names)}
    try:
        splits = named(prop or ())
    except ValueError as error:
        raise CommandError(f"--property {error}") from None
    source = find_model(connection, base)
    lesson = learn(connection, Plan(question, splits, signs, _zone(time_zone), max_rules, seed))
    found = lesson.scorecard
    model = fitted_model(found, source, f"fitted to {found.leads:,} leads, {landmark} after their first event")
    provenance = [
        *lesson.provenance,
        f"landmark {landmark}; horizon {horizon or 'none'}; conversion {conversion}; lost {lost or 'none'}",
    ]
    _write(out, provenance, model)
    say(f"{counted(len(model.rules), 'rule')} written to {out}")
    for line in provenance:
        say(line)
    if found.auc > TOO_GOOD:
        say(
            f"warning: an AUC of {found.auc:.3f} is too good to be true: an event type may stand for the outcome; "
            "name it in --conversion or --lost"
        )
    summary = _judged(connection, model, question)
    show(Group(*judgement_sections(summary)), summary, as_json=as_json)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _duration(option: str, text: str) -> Duration:
    try:
        return durations.to_duration(text)
    except ValueError as error:
        raise CommandError(f"{option} {error}") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise CommandError(f"--time-zone {name!r} is unknown: use a name such as Europe/Berlin") from None


def _check(question: Question, out: Path) -> None:
    if not question.conversions:
        raise CommandError("--conversion names no event type")
    if both := sorted(question.conversions & question.losses):
        raise CommandError(f"{both[0]!r} is in --conversion and in --lost")
    if not out.absolute().parent.is_dir():
        raise CommandError(f"{out} cannot be written: there is no directory {out.absolute().parent}")


def _write(out: Path, lines: Iterable[str], model: pb.ScoringModel) -> None:
    text = "".join(f"# {line}\n" for line in lines) + write_yaml(model)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from None


def _judged(connection: Connection, model: pb.ScoringModel, question: Question) -> pb.SimulationSummary:
    """Has the scoring service judge the model beside the one in force."""
    request = pb.SimulateScoringModelRequest(
        draft=model,
        conversion_event_types=sorted(question.conversions),
        lost_event_types=sorted(question.losses),
    )
    request.landmarks.add().FromTimedelta(question.landmarks[0])
    if question.horizon is not None:
        request.horizon.FromTimedelta(question.horizon)
    if question.train_before is not None:
        request.train_before.CopyFrom(wire.to_timestamp(question.train_before))
    summary = pb.SimulationSummary()
    with connection.scoring() as stub, bar("judging") as progress:
        for answer in stub.SimulateScoringModel(request, timeout=STREAM_SECONDS):
            progress.update(answer.leads_checked, total=answer.leads_total)
            summary = answer.summary
    return summary
