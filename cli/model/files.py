"""Finding a model by the path of a file, by its version, or as the one in force."""

from pathlib import Path

from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.pages import listed
from shared.message_files.messages import Flawed
from shared.message_files.yaml_text import MAX_BYTES, read_yaml, write_yaml

IN_FORCE = "in-force"
"""Stands for the model in force, wherever a version is accepted. A file of this name is `./in-force`."""
_SET_BY_THE_SERVICE = ("version", "state", "create_time")


def find_model(connection: Connection, source: str) -> pb.ScoringModel:
    """Returns the model of a version, of `in-force` or of a file; only a model from a file has no version.

    Raises:
        CommandError: The model does not exist, or the file is invalid; the details list its flaws.
    """
    version = version_of(source)
    if version is None:
        return read_model(Path(source))
    with connection.scoring() as stub:
        request = pb.GetScoringModelRequest(version=version)
        return stub.GetScoringModel(request, timeout=CALL_SECONDS).scoring_model


def version_of(source: str) -> int | None:
    """Returns the version, 0 for the one in force; None if the source is a file."""
    if source == IN_FORCE:
        return 0
    # Any number that fits into a version is one; the service reports versions that do not exist.
    return int(source) if source.isascii() and source.isdigit() and len(source) <= len(str(2**62)) else None


def read_model(path: Path) -> pb.ScoringModel:
    """Returns the model in a file, without the fields that the service sets.

    Raises:
        CommandError: The file cannot be read, or is invalid; the details list its flaws.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}; give a file, a version or `in-force`") from None
    try:
        return content_of(read_yaml(text, pb.ScoringModel))
    except Flawed as flawed:
        raise CommandError(f"{path} is not a valid model", map(str, flawed.flaws)) from None


def content_of(model: pb.ScoringModel) -> pb.ScoringModel:
    """Returns a model without its version, state and time: the content of a file, by which versions are compared."""
    content = pb.ScoringModel()
    content.CopyFrom(model)
    for field in _SET_BY_THE_SERVICE:
        content.ClearField(field)
    return content


def to_text(model: pb.ScoringModel) -> str:
    """Returns a model as the text of a file; its version and state are a comment."""
    return f"# version {model.version}, {state_of(model)}\n{write_yaml(content_of(model))}"


def state_of(model: pb.ScoringModel) -> str:
    """Returns the state of a model as text, such as `in force`."""
    return pb.ModelState.Name(model.state).removeprefix("MODEL_STATE_").lower().replace("_", " ")


def mode_of(publication: pb.ModelPublication) -> str:
    """Returns the mode of a publication as text, such as `forward` or `rescore, quiet`."""
    mode = pb.PublicationMode.Name(publication.mode).removeprefix("PUBLICATION_MODE_").lower()
    return f"{mode}, quiet" if publication.quiet else mode


def list_models(connection: Connection, limit: int) -> list[pb.ScoringModel]:
    """Returns the newest models, newest first."""
    with connection.scoring() as stub:
        return listed(stub.ListScoringModels, pb.ListScoringModelsRequest(), "scoring_models", limit)


def list_publications(connection: Connection, limit: int) -> list[pb.ModelPublication]:
    """Returns the newest publications, newest first."""
    with connection.scoring() as stub:
        return listed(stub.ListModelPublications, pb.ListModelPublicationsRequest(), "publications", limit)
