"""`leadscore model`: versions of the scoring model, from a draft in a file to its publication."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.model import views as model_views
from cli.model.consent import require_consent
from cli.model.differences import differences
from cli.model.files import (
    IN_FORCE,
    content_of,
    find_model,
    list_models,
    list_publications,
    mode_of,
    read_model,
    to_text,
    version_of,
)
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import Actor, AsJson, BasePort, Limit, actor_of
from cli.terminal.output import bar, print_json, say, show
from shared.message_files.messages import to_plain

POLL_SECONDS = 0.5

app = typer.Typer(help="List, compare, validate and publish versions of the scoring model.", no_args_is_help=True)
Source = Annotated[str, typer.Argument(help=f"A file, a version, or `{IN_FORCE}`.")]
File = Annotated[Path, typer.Argument(help="A model as YAML.")]


class Mode(StrEnum):
    """Which events a publication applies to: future ones, or all."""

    FORWARD = "forward"
    RESCORE = "rescore"


@app.command("list")
def list_versions(limit: Limit = 20, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """List the versions, newest first."""
    found = list_models(Connection(base_port), limit)
    show(model_views.models_table(found), *found, as_json=as_json)


@app.command("show")
def show_model(source: Source = IN_FORCE, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Print a model as YAML, which can be edited and published, or as JSON."""
    model = find_model(Connection(base_port), source)
    if as_json:
        print_json(to_plain(model))
    else:
        typer.echo(to_text(model), nl=False)


@app.command()
def validate(file: File, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Check a file without storing it. Reports each mistake with its path; the exit status is 1 if there is one.

    Warns of conditions that compare values of different types, such as a number with text, in a sample of events.
    """
    answer = _create(Connection(base_port), read_model(file), validate_only=True)
    model = answer.scoring_model
    for each in answer.type_mismatches:
        say(f"warning: {model_views.mismatch_sentence(each)}")
    show(
        f"{file} is valid: {counted(len(model.rules), 'rule')}, {counted(len(model.stages), 'stage')}",
        model,
        as_json=as_json,
    )


@app.command()
def diff(before: Source, after: Source, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Show how two models differ, rule by rule."""
    connection = Connection(base_port)
    old, new = (content_of(find_model(connection, source)) for source in (before, after))
    found = list(differences(old, new))
    if as_json:
        for each in found:
            print_json(each._asdict())
    else:
        show(model_views.differences_table(found) if found else "no difference", as_json=False)


@app.command()
def create(file: File, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Store a file as a draft, which has no effect until it is published."""
    draft = _create(Connection(base_port), read_model(file)).scoring_model
    show(f"version {draft.version} is a draft of {file}", draft, as_json=as_json)


@app.command()
def publish(
    source: Source,
    mode: Annotated[Mode, typer.Option(help="`forward` scores new events with it, `rescore` scores every lead again.")],
    note: Annotated[str, typer.Option(help="Why; stored with the publication.")] = "",
    actor: Actor = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="Fire no automation for what this changes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, however many automations fire.")] = False,
    base: Annotated[int, typer.Option(help="Fail unless this version is in force; default: the current one.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="Return when all leads have been scored again.")] = False,
    timeout: Annotated[float, typer.Option(help="Maximum time to wait, in seconds.")] = 3600.0,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Put a model in force. A file is stored as a draft first, which remains if publishing it fails.

    It first counts how many automations would fire for leads that the model moves. If there are more than 100, it asks;
    in a script, it requires --yes or --quiet.
    """
    connection = Connection(base_port)
    request = pb.PublishScoringModelRequest(
        base_version=base or find_model(connection, IN_FORCE).version,
        mode=f"PUBLICATION_MODE_{mode.name}",
        actor=actor_of(actor),
        note=note,
        quiet=quiet,
    )
    request.version = _version(connection, source)
    if mode is Mode.RESCORE and _changes_only_probabilities(connection, request.version):
        say("only the calibration differs from the model in force: --mode forward is enough, and scores no lead again")
    if not quiet and not yes:
        require_consent(connection, request.version, rescores=mode is Mode.RESCORE)
    with connection.scoring() as stub:
        publication = stub.PublishScoringModel(request, timeout=CALL_SECONDS).publication
    if wait and publication.leads_left:
        publication = _rolled_out(connection, publication, timeout)
    show(_sentence(publication), publication, as_json=as_json)


@app.command()
def history(limit: Limit = 20, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """List the publications, with actor, note and about how many leads workers still have to go through."""
    found = list_publications(Connection(base_port), limit)
    show(model_views.publications_table(found), *found, as_json=as_json)


def _create(
    connection: Connection, model: pb.ScoringModel, *, validate_only: bool = False
) -> pb.CreateScoringModelResponse:
    request = pb.CreateScoringModelRequest(scoring_model=model, validate_only=validate_only)
    with connection.scoring() as stub:
        return stub.CreateScoringModel(request, timeout=CALL_SECONDS)


def _version(connection: Connection, source: str) -> int:
    version = version_of(source)
    if version is None:
        version = _create(connection, read_model(Path(source))).scoring_model.version
        say(f"version {version} is a draft of {source}")
    return version or find_model(connection, IN_FORCE).version


def _changes_only_probabilities(connection: Connection, version: int) -> bool:
    old, new = (content_of(find_model(connection, source)) for source in (IN_FORCE, str(version)))
    found = [each.path for each in differences(old, new)]
    return bool(found) and all(path.startswith("calibration") for path in found)


def _rolled_out(connection: Connection, publication: pb.ModelPublication, timeout: float) -> pb.ModelPublication:
    """Waits until every lead has been scored again, and returns the final state of the publication."""
    total, ends = publication.leads_left, time.monotonic() + timeout
    with bar("scoring again") as progress:
        while publication.leads_left:
            total = max(total, publication.leads_left)  # new leads may arrive during the rollout
            progress.update(total - publication.leads_left, total=total)
            if time.monotonic() > ends:
                raise CommandError(
                    f"after {timeout:g} s, {_sentence(publication)}; check that scoring workers are running"
                )
            time.sleep(POLL_SECONDS)
            newest = list_publications(connection, 100)
            publication = next((each for each in newest if each.publication == publication.publication), publication)
    return publication


def _sentence(publication: pb.ModelPublication) -> str:
    done = f"version {publication.version} is in force ({mode_of(publication)})"
    if not publication.leads_left:
        return done
    left = counted(publication.leads_left, "lead")
    return f"{done}; workers still have to go through about {left} (see `leadscore model history`)"
