"""Models as people name them: by a file, by a version, or as the one in force."""

from pathlib import Path

from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.pages import listed
from shared.message_files.messages import Flawed
from shared.message_files.yaml_text import MAX_BYTES, read_yaml, write_yaml

IN_FORCE = "in-force"
"""Names the model that judges now, wherever a version may be named. A file of this name is `./in-force`."""
_GIVEN_BY_THE_SERVICE = ("version", "state", "create_time")


def find_model(connection: Connection, source: str) -> pb.ScoringModel:
    """Returns the model that a version, `in-force` or the path of a file names; only that of a file has no version.

    Raises:
        CommandError: There is none, or the file holds none; each of its flaws is a detail.
    """
    version = version_of(source)
    if version is None:
        return read_model(Path(source))
    with connection.scoring() as stub:
        request = pb.GetScoringModelRequest(version=version)
        return stub.GetScoringModel(request, timeout=CALL_SECONDS).scoring_model


def version_of(source: str) -> int | None:
    """Returns the version that is named, 0 for the one in force; None when a file is."""
    if source == IN_FORCE:
        return 0
    # No file holds more digits than a version may have; the service tells that there is no such version.
    return int(source) if source.isascii() and source.isdigit() and len(source) <= len(str(2**62)) else None


def read_model(path: Path) -> pb.ScoringModel:
    """Returns the model in a file, without what only the service can say of it.

    Raises:
        CommandError: The file cannot be read, or holds none; each of its flaws is a detail.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}; is it neither a file nor a version?") from None
    try:
        return content_of(read_yaml(text, pb.ScoringModel))
    except Flawed as flawed:
        raise CommandError(f"{path} is no model", map(str, flawed.flaws)) from None


def content_of(model: pb.ScoringModel) -> pb.ScoringModel:
    """Returns a model without its version, state and time: what a file holds, and what two versions are compared by."""
    content = pb.ScoringModel()
    content.CopyFrom(model)
    for field in _GIVEN_BY_THE_SERVICE:
        content.ClearField(field)
    return content


def to_text(model: pb.ScoringModel) -> str:
    """Returns the file that holds a model, with what the service says of it as a comment."""
    return f"# version {model.version}, {state_of(model)}\n{write_yaml(content_of(model))}"


def state_of(model: pb.ScoringModel) -> str:
    """Returns where a model stands, in words."""
    return pb.ModelState.Name(model.state).removeprefix("MODEL_STATE_").lower().replace("_", " ")


def mode_of(publication: pb.ModelPublication) -> str:
    """Returns for which events a publication puts a model in force, in a word."""
    return pb.PublicationMode.Name(publication.mode).removeprefix("PUBLICATION_MODE_").lower()


def list_models(connection: Connection, limit: int) -> list[pb.ScoringModel]:
    """Returns the newest models, newest first."""
    with connection.scoring() as stub:
        return listed(stub.ListScoringModels, pb.ListScoringModelsRequest(), "scoring_models", limit)


def list_publications(connection: Connection, limit: int) -> list[pb.ModelPublication]:
    """Returns the newest publications, newest first."""
    with connection.scoring() as stub:
        return listed(stub.ListModelPublications, pb.ListModelPublicationsRequest(), "publications", limit)
