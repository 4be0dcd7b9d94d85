"""JSON ⇄ domain: facts, publications, entries and states as the golden histories write them."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service import model_codec
from scoring_service.domain.entry import Entry, EntryKind
from scoring_service.domain.lead import Lead
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.timeline import Adjustment, Mode, Publication

Document = dict[str, Any]

FOLDER = Path(__file__).parent
HISTORIES = FOLDER / "histories"
MODELS = FOLDER / "models"


def read(path: Path) -> Document:
    """Returns a committed document."""
    document: Document = json.loads(path.read_text())
    return document


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Writes a document so that a change of one value changes one line."""
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def read_model(name: str, version: int) -> ScoringModel:
    """Returns a committed model under a version."""
    return model_codec.read_model(json_format.ParseDict(read(MODELS / f"{name}.json"), pb.ScoringModel()), version)


def write_model(name: str, model: ScoringModel) -> None:
    """Commits a model."""
    message = model_codec.write_model(model)
    write(MODELS / f"{name}.json", json_format.MessageToDict(message, preserving_proto_field_name=True))


def read_publication(document: Document) -> Publication:
    """Returns a publication."""
    mode, time = Mode(document["mode"]), _time(document["publish_time"])
    return Publication(document["number"], document["version"], document["base_version"], mode, time)


def read_fact(document: Document) -> Event | Adjustment:
    """Returns an event, or an adjustment, whose document says how many points it gives."""
    time = _time(document["event_time"])
    if "points" not in document:
        return Event(document["event_id"], document["event_type"], time, document.get("properties", {}))
    return Adjustment(
        document["event_id"],
        time,
        document["points"],
        document["reason"],
        document["actor"],
        document.get("target"),
    )


def read_entry(document: Document) -> Entry:
    """Returns a committed entry."""
    return Entry(**{name: _READERS.get(name, _same)(value) for name, value in document.items()})


def write_entry(entry: Entry) -> Document:
    """Returns the document of an entry, without the fields that it leaves at their defaults."""
    return {
        name: _plain(value)
        for name, value in entry._asdict().items()
        if value != Entry._field_defaults.get(name) and value != {}
    }


def write_lead(lead: Lead) -> Document:
    """Returns all that a release must keep of a lead's state."""
    state = lead.state
    return {
        "sequence": lead.sequence,
        "publication": lead.publication,
        "score": state.score,
        "fact_count": state.fact_count,
        "event_count": state.event_count,
        "first_event_time": _plain(state.first_event_time),
        "last_event_time": _plain(state.last_event_time),
        "decayed_through": _plain(state.decayed_through),
        "contributions": dict(sorted(state.contributions.items())),
        "usage": {key: list(usage) for key, usage in sorted(state.usage.items())},
        "group_points": dict(sorted(state.group_points.items())),
        "attributes": state.attributes._asdict(),
    }


def read_date(text: str | None) -> date | None:
    """Returns a date; None for none."""
    return None if text is None else date.fromisoformat(text)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _same(value: Any) -> Any:
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, date) else value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "kind": EntryKind,
    "event_time": _time,
    "record_time": _time,
    "first_tick": read_date,
    "last_tick": read_date,
}
