"""Domain ⇄ MongoDB documents: models and publications."""

from datetime import datetime

from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service import model_codec
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.timeline import Mode, Publication, StoredModel
from shared.message_files import messages as plain
from shared.mongo import Document


def read_model(row: Document) -> StoredModel:
    """Returns a version of the model from its row."""
    message = plain.from_plain(row["model"], pb.ScoringModel)
    return StoredModel(model_codec.read_model(message, row["_id"]), row["create_time"])


def write_model(model: ScoringModel, create_time: datetime) -> Document:
    """Returns the row of a version of the model, which reads like a model file."""
    content = plain.to_plain(model_codec.write_model(model))
    return {"_id": model.version, "create_time": create_time, "model": content}


def read_publication(row: Document) -> Publication:
    """Returns a publication from its row."""
    return Publication(
        number=row["_id"],
        version=row["version"],
        base_version=row["base_version"],
        mode=Mode(row["mode"]),
        publish_time=row["publish_time"],
        actor=row["actor"],
        note=row["note"],
        engine=row["engine"],
        quiet=row["quiet"],
    )


def write_publication(publication: Publication) -> Document:
    """Returns the row of a publication that has not been rolled out."""
    return {
        "_id": publication.number,
        "version": publication.version,
        "base_version": publication.base_version,
        "mode": publication.mode.value,
        "publish_time": publication.publish_time,
        "actor": publication.actor,
        "note": publication.note,
        "engine": publication.engine,
        "quiet": publication.quiet,
        "rolled_out": False,
    }
