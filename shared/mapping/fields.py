"""Readers of the fields of an event: functions from a record to the value that the API expects.

Each raises ValueError, whose text begins with the name of the field.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NoReturn

from google.protobuf.timestamp_pb2 import Timestamp

from shared.mapping.json_values import to_text
from shared.mapping.schema import Condition, EventSection, TimeSection
from shared.mapping.times.readers import TimeOptions, TimeRule, time_reader, to_zone
from shared.mapping.values import Columns, Fields, Getter, Path, Value, nothing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = {"true": True, "false": False}


def required_text(name: str, value: Value | None, columns: Columns) -> Callable[[Fields], str]:
    """Returns the reader of text, which may also be a number. It refuses records without a value."""
    get, refuse = getter(value, columns), _refusal(name, value)

    def read(fields: Fields) -> str:
        found = get(fields)
        return found if found.__class__ is str else _as_text(name, found) or refuse()

    return read


def optional_text(name: str, value: Value | None, columns: Columns) -> Callable[[Fields], str | None]:
    """Returns the reader of text, which may also be a number; it returns None for records without a value."""
    get = getter(value, columns)
    return lambda fields: _as_text(name, get(fields))


def optional_flag(name: str, value: Value | None, columns: Columns) -> Callable[[Fields], bool]:
    """Returns the reader of true or false; it is false where there is no value."""
    get = getter(value, columns)

    def read(fields: Fields) -> bool:
        found = get(fields)
        if found is None:
            return False
        # CSV of a spreadsheet has TRUE, and of Python True.
        flag = _FLAGS.get(str(found).lower())
        if flag is None:
            raise ValueError(f"{name}: must be true or false")
        return flag

    return read


def required_time(
    name: str, section: TimeSection | None, options: TimeOptions, columns: Columns
) -> Callable[[Fields], Timestamp]:
    """Returns the reader of a time. It refuses records without a value."""
    read, refuse = optional_time(name, section, options, columns), _refusal(name, section.source if section else None)
    return lambda fields: read(fields) or refuse()


def optional_time(
    name: str, section: TimeSection | None, options: TimeOptions, columns: Columns
) -> Callable[[Fields], Timestamp | None]:
    """Returns the reader of a time; it returns None for records without a value."""
    get = getter(section.source if section else None, columns)
    read_time = time_reader(_time_rule(section, options))

    def read(fields: Fields) -> Timestamp | None:
        found = get(fields)
        if found is None:
            return None
        try:
            since = read_time(found) - _EPOCH
        except ValueError as flaw:
            raise ValueError(f"{name}: {flaw}") from None
        return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)

    return read


def condition(section: EventSection, columns: Columns) -> Callable[[Fields], bool] | None:
    """Returns whether an event applies to a record; None if it applies to all."""
    tests = [(*test, True) for test in _tests(section.when, columns)]
    tests += [(*test, False) for test in _tests(section.unless, columns)]
    if not tests:
        return None
    return lambda fields: all(_is_one_of(get(fields), choices) is wanted for get, choices, wanted in tests)


def _tests(condition: Condition, columns: Columns) -> list[tuple[Getter, tuple[str | bool, ...]]]:
    return [(Path(name).compile(columns), choices) for name, choices in condition.items()]


def _is_one_of(value: object, choices: tuple[str | bool, ...]) -> bool:
    if value is None:
        return False in choices
    return True in choices or (isinstance(value, str | int) and str(value) in choices)


def _time_rule(section: TimeSection | None, options: TimeOptions) -> TimeRule:
    rule = TimeRule()
    if section:
        rule = TimeRule(section.format, to_zone(section.zone) if section.zone else None, section.repeated)
    return replace(rule, format=options.format or rule.format, zone=options.zone or rule.zone)


def getter(value: Value | None, columns: Columns) -> Getter:
    """Returns the getter of a value that a mapping may leave out."""
    return nothing if value is None else value.compile(columns)


def _as_text(name: str, found: object) -> str | None:
    try:
        return to_text(found)
    except ValueError as flaw:
        raise ValueError(f"{name}: {flaw}") from None


def _refusal(name: str, value: Value | None) -> Callable[[], NoReturn]:
    origin = ", ".join(sorted(value.fields(Columns(None)))) if value else ""

    def refuse() -> NoReturn:
        raise ValueError(f"{name}: is empty" + (f" ({origin})" if origin else ""))

    return refuse
