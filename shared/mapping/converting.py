"""Turns records into events, as a mapping file says. The mapping is compiled once.

Only what protobuf cannot represent, and what has no value at all, is refused here. The ingest service validates the
rest.
"""

from collections.abc import Callable, Sequence
from typing import Any

from leadscore.ingest.v1 import ingest_pb2 as pb

from shared.mapping.fields import (
    condition,
    optional_flag,
    optional_text,
    optional_time,
    required_text,
    required_time,
)
from shared.mapping.json_values import set_property
from shared.mapping.properties import compile_properties
from shared.mapping.schema import REQUIRED, EventSection, MappingFile, PropertiesSection, TimeSection, TypeSection
from shared.mapping.times.readers import TimeOptions
from shared.mapping.values import Columns, Fields, Value

Build = Callable[[Fields, Fields], pb.Event | None]
"""Returns the event of a record, given as it is and with typed cells; None if the event does not apply to it."""


class Converter:
    """Turns records into events.

    `columns` are those of a table; None for records whose fields are found by their exact names.
    """

    def __init__(self, mapping: MappingFile, options: TimeOptions, columns: Sequence[str] | None) -> None:
        found = Columns(columns)
        self._builds = [_compile(section, options, found) for section in _sections(mapping)]

    def events(self, fields: Fields, typed: Fields) -> list[pb.Event]:
        """Returns the events of a record, given as it is and with typed cells; none if the mapping has none for it.

        Raises:
            ValueError: The record has a flaw. The text is a sentence that begins with the field of the event.
        """
        try:
            return [event for build in self._builds if (event := build(fields, typed)) is not None]
        except UnicodeEncodeError:
            raise ValueError("is not UTF-8") from None


def missing_columns(mapping: MappingFile, names: Sequence[str]) -> list[str]:
    """Returns which of the fields that each event needs have no column in a table, whose columns have these names."""
    columns = Columns(names)
    return [
        name
        for name in REQUIRED
        if any(_lacks_columns(_source(getattr(section, name)), columns) for section in _sections(mapping))
    ]


def _sections(mapping: MappingFile) -> list[EventSection]:
    """Returns the events of a mapping, with what they leave out taken from the mapping around them."""
    return [_completed(event, mapping) for event in mapping.events or (mapping,)]


def _completed(event: EventSection, mapping: MappingFile) -> EventSection:
    outer = {name: getattr(mapping, name) for name in EventSection.model_fields if name not in event.model_fields_set}
    return event.model_copy(update=outer)


def _compile(section: EventSection, options: TimeOptions, columns: Columns) -> Build:
    applies = condition(section, columns)
    lead_id, event_id, event_type = (required_text(name, value, columns) for name, value in _texts(section).items())
    event_time = required_time("event_time", section.event_time, options, columns)
    translate = (section.event_type.translate if section.event_type else {}).get
    properties = compile_properties(section.properties or PropertiesSection(), _used(section, columns), columns)
    optional = _optional(section, options, columns)

    def build(fields: Fields, typed: Fields) -> pb.Event | None:
        if applies is not None and not applies(fields):
            return None
        kind = event_type(fields)
        event = pb.Event(
            event_id=event_id(fields),
            lead_id=lead_id(fields),
            event_type=translate(kind, kind),
            event_time=event_time(fields),
            **{name: read(fields) for name, read in optional},
        )
        _set_properties(event, properties(typed))
        return event

    return build


def _set_properties(event: pb.Event, properties: dict[str, object]) -> None:
    event.properties.SetInParent()
    fields = event.properties.fields
    try:
        for name, value in properties.items():
            set_property(fields[name], value)
    except UnicodeEncodeError:
        raise
    except ValueError as flaw:
        raise ValueError(f"properties: {flaw}") from None


def _optional(
    section: EventSection, options: TimeOptions, columns: Columns
) -> list[tuple[str, Callable[[Fields], Any]]]:
    """Returns the readers of the fields that an event need not have; their values may be None."""
    readers = list[tuple[str, Callable[[Fields], Any]]]()
    if section.source:
        readers.append(("source", optional_text("source", section.source, columns)))
    if section.historical:
        readers.append(("historical", optional_flag("historical", section.historical, columns)))
    if section.sent_time:
        readers.append(("sent_time", optional_time("sent_time", section.sent_time, options, columns)))
    return readers


def _texts(section: EventSection) -> dict[str, Value | None]:
    return {"lead_id": section.lead_id, "event_id": section.event_id, "event_type": _source(section.event_type)}


def _source(field: Value | TypeSection | TimeSection | None) -> Value | None:
    """Returns the value of a field, which may have a section of its own."""
    return field.source if isinstance(field, TypeSection | TimeSection) else field


def _used(section: EventSection, columns: Columns) -> set[str]:
    """Returns the fields that are not the rest of a record."""
    others = section.event_time, section.sent_time, section.source, section.historical
    values = [*_texts(section).values(), *map(_source, others)]
    return set[str]().union(*(value.fields(columns) for value in values if value))


def _lacks_columns(value: Value | None, columns: Columns) -> bool:
    # A template or a list may do without some of its columns, and a constant needs none.
    return bool(value and value.fields(Columns(None))) and not (value and value.fields(columns))
