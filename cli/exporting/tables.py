"""What is exported: the columns of each table, and how they are read from messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.automation.v1 import automation_pb2
from leadscore.scoring.v1 import scoring_pb2

from cli.terminal.output import to_json, whole


class Kind(Enum):
    """The type of a column. JSON columns hold objects and lists, which CSV and Parquet have as text."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    DATE = "date"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `read` returns its value in a message, None if it has none."""

    name: str
    kind: Kind
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Table:
    """What is exported as one file; `plural` is what its rows are called."""

    singular: str
    plural: str
    columns: tuple[Column, ...]


def _field(name: str, kind: Kind) -> Column:
    return Column(name, kind, lambda message: getattr(message, name))


def _text(name: str) -> Column:
    return Column(name, Kind.TEXT, lambda message: getattr(message, name) or None)


def _integers(*names: str) -> tuple[Column, ...]:
    return tuple(_field(name, Kind.INTEGER) for name in names)


def _time(name: str) -> Column:
    def read(message: Any) -> Timestamp | None:  # noqa: ANN401 (any message)
        return getattr(message, name) if message.HasField(name) else None

    return Column(name, Kind.TIME, read)


def _date(name: str) -> Column:
    return Column(name, Kind.DATE, lambda message: getattr(message, name) or None)


def _struct(name: str) -> Column:
    return Column(name, Kind.JSON, lambda message: _values(getattr(message, name)))


def _enum(name: str, prefix: str) -> Column:
    """Returns the column of an enum: its value in lower case, without the prefix that protobuf's style demands."""

    def read(message: Any) -> str:  # noqa: ANN401 (any message)
        field = message.DESCRIPTOR.fields_by_name[name]
        value: str = field.enum_type.values_by_number[getattr(message, name)].name
        return value.removeprefix(prefix).lower()

    return Column(name, Kind.TEXT, read)


def _values(struct: Struct) -> Mapping[str, Any] | None:
    # Much slower than reading the fields, which is why it is used for structs only.
    return whole(MessageToDict(struct)) or None


def _contributions(lead: scoring_pb2.LeadScore) -> Mapping[str, int]:
    return {each.rule_id: each.points for each in lead.contributions}


def _probability(name: str, field: str) -> Column:
    """Returns a column with a part of the conversion probability, which a lead has if its model has a calibration."""

    def read(lead: scoring_pb2.LeadScore) -> float | int | None:
        found = lead.conversion_probability
        return getattr(found, field) if lead.HasField("conversion_probability") else None

    return Column(name, Kind.INTEGER if field == "lead_count" else Kind.NUMBER, read)


def _deliveries(execution: automation_pb2.AutomationExecution) -> list[dict[str, object]]:
    return [to_json(delivery) for delivery in execution.deliveries]


LEADS = Table(
    "lead",
    "leads",
    (
        _field("lead_id", Kind.TEXT),
        _field("score", Kind.INTEGER),
        _text("stage"),
        *_integers("event_count", "recent_event_count"),
        _time("first_event_time"),
        _time("last_event_time"),
        _text("fit_grade"),
        _text("rating"),
        _field("fit_points", Kind.INTEGER),
        _probability("conversion_probability", "probability"),
        _probability("conversion_probability_low", "low"),
        _probability("conversion_probability_high", "high"),
        _probability("conversion_probability_leads", "lead_count"),
        *_integers("sequence", "model_version"),
        _time("as_of_time"),
        Column("contributions", Kind.JSON, _contributions),
        _struct("attributes"),
    ),
)
EVENTS = Table(
    "event",
    "events",
    (
        _field("event_id", Kind.TEXT),
        _text("lead_id"),
        _text("event_type"),
        _time("event_time"),
        _text("source"),
        _enum("state", "EVENT_STATE_"),
        _time("accept_time"),
        _time("sent_time"),
        _time("original_event_time"),
        Column("historical", Kind.BOOLEAN, lambda event: event.historical),
        Column("cut_properties", Kind.JSON, lambda event: list(event.cut_properties)),
        _field("properties_left_out", Kind.INTEGER),
        _struct("properties"),
    ),
)
HISTORY = Table(
    "entry",
    "entries",
    (
        _field("lead_id", Kind.TEXT),
        _field("sequence", Kind.INTEGER),
        _enum("kind", "ENTRY_KIND_"),
        _text("event_id"),
        _text("event_type"),
        _time("event_time"),
        _time("record_time"),
        _text("rule_id"),
        *_integers("model_version", "points", "delta", "score_before", "score_after"),
        _text("stage_before"),
        _text("stage_after"),
        _text("reason"),
        _text("actor"),
        _date("first_tick_date"),
        _date("last_tick_date"),
        _field("tick_count", Kind.INTEGER),
        _struct("properties"),
    ),
)
EXECUTIONS = Table(
    "execution",
    "executions",
    (
        _field("execution_id", Kind.TEXT),
        _text("rule_id"),
        _text("lead_id"),
        _date("date_bucket"),
        _enum("state", "EXECUTION_STATE_"),
        *_integers("change_sequence", "score"),
        _text("stage_before"),
        _text("stage_after"),
        _field("velocity", Kind.INTEGER),
        _enum("risk", "RISK_"),
        _text("next_action"),
        _time("record_time"),
        Column("why", Kind.JSON, lambda execution: list(execution.why)),
        Column("deliveries", Kind.JSON, _deliveries),
    ),
)
AUDIT = Table(
    "record",
    "records",
    (
        _field("record_id", Kind.TEXT),
        _time("call_time"),
        *(_text(name) for name in ("actor", "key_id", "address", "service", "method", "object", "outcome")),
    ),
)
