"""What a mapping file may contain. `docs/importing.md` describes every field for the people who write one."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from shared.mapping.times.local import Repeated
from shared.mapping.times.readers import check_format, to_zone
from shared.mapping.values import VALUE_KEYS, Value, parse_value

ValueField = Annotated[Value, PlainValidator(parse_value)]
CellType = Literal["text", "number", "boolean"]
"""The type of a column of CSV."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _as_section(written: object) -> object:
    """Returns a section that has only its `from` as one that is written out."""
    is_value = not isinstance(written, dict) or VALUE_KEYS & written.keys()
    return {"from": written} if is_value else written


def _as_fields(written: object) -> object:
    return {name: name for name in written} if isinstance(written, list) else written


def _as_values(written: object) -> object:
    return (written,) if isinstance(written, str | dict) else tuple(written) if isinstance(written, list) else written


def _checked_zone(name: str) -> str:
    to_zone(name)
    return name


class TypeSection(_Section):
    """The event type: where it comes from, and the names that leadscore uses for those of the file."""

    source: ValueField = Field(alias="from")
    translate: dict[str, str] = {}


class TimeSection(_Section):
    """A time: where it comes from and how it is read; see `shared.mapping.times.readers`."""

    source: ValueField = Field(alias="from")
    format: Annotated[str, AfterValidator(check_format)] = ""
    zone: Annotated[str, AfterValidator(_checked_zone)] = ""
    repeated: Repeated | None = None


class PropertiesSection(_Section):
    """The properties: objects whose members become properties, single fields, and the rest of the record."""

    objects: Annotated[tuple[ValueField, ...], BeforeValidator(_as_values)] = ()
    fields: Annotated[dict[str, ValueField], BeforeValidator(_as_fields)] = {}
    rest: bool = False
    without: Annotated[tuple[str, ...], BeforeValidator(_as_values)] = ()


def _parse_choices(written: object) -> tuple[str | bool, ...]:
    choices = tuple(written) if isinstance(written, list) else (written,)
    if not choices or not all(isinstance(choice, str | bool) for choice in choices):
        raise ValueError("must be text, a list of text values, true if the field has a value, or false if it has none")
    return choices


Condition = dict[str, Annotated[tuple[str | bool, ...], PlainValidator(_parse_choices)]]
"""The values that each of some fields may have: text, true for any, false for none."""


class EventSection(_Section):
    """An event that a record becomes. What it leaves out comes from the mapping around it."""

    when: Condition = {}
    unless: Condition = {}
    lead_id: ValueField | None = None
    event_id: ValueField | None = None
    event_type: Annotated[TypeSection, BeforeValidator(_as_section)] | None = None
    event_time: Annotated[TimeSection, BeforeValidator(_as_section)] | None = None
    sent_time: Annotated[TimeSection, BeforeValidator(_as_section)] | None = None
    source: ValueField | None = None
    historical: ValueField | None = None
    properties: PropertiesSection | None = None


class MappingFile(EventSection):
    """A mapping file. Without `events`, a record becomes one event; with them, each one whose conditions hold."""

    title: str
    recognise: Annotated[
        tuple[Annotated[tuple[str, ...], BeforeValidator(_as_values)], ...], BeforeValidator(_as_values)
    ] = ()
    columns: Annotated[tuple[str, ...], BeforeValidator(_as_values)] = ()
    types: dict[str, CellType] = {}
    events: Annotated[tuple[EventSection, ...], BeforeValidator(_as_values)] = ()

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        for name in REQUIRED:
            if getattr(self, name) is None and any(getattr(event, name) is None for event in self.events or (self,)):
                raise ValueError(f"{name} is missing: give it once, or in each of the events")
        return self


REQUIRED = ("lead_id", "event_id", "event_type", "event_time")
"""What each event needs."""
