"""Properties of an event: objects whose members become properties, single fields, and the rest of the record."""

from collections.abc import Callable
from decimal import Decimal

from shared.mapping.json_values import from_json
from shared.mapping.schema import PropertiesSection
from shared.mapping.values import Columns, Fields, Getter

_NEVER_EMPTY = {bool, int, float, Decimal}


def compile_properties(
    section: PropertiesSection, used: set[str], columns: Columns
) -> Callable[[Fields], dict[str, object]]:
    """Returns the function that makes the properties of a record with typed cells.

    Of two properties with one name, that of `fields` counts, then that of the later object, then that of the rest.

    Args:
        section: What the mapping file says.
        used: The fields of the record that are not part of its rest.
        columns: The columns of the file.
    """
    objects = [value.compile(columns) for value in section.objects]
    if not section.fields and not section.rest and not section.without:
        return lambda record: _merged(objects, record)
    fields = {name: value.compile(columns) for name, value in section.fields.items()}
    parts = (*section.objects, *section.fields.values())
    taken = used.union(*(value.fields(columns) for value in parts)) if section.rest else None

    def make(record: Fields) -> dict[str, object]:
        found = _rest(record, taken) if taken is not None else {}
        found |= _merged(objects, record)
        for name, get in fields.items():
            if (value := get(record)) is not None:
                found[name] = value
        for name in section.without:
            found.pop(name, None)
        return found

    return make


def _rest(record: Fields, taken: set[str]) -> dict[str, object]:
    # False and 0 are values; null, blank text, and lists and objects without members are none.
    return {
        name: value
        for name, value in record.items()
        if name not in taken and (value or value.__class__ in _NEVER_EMPTY)
    }


def _merged(objects: list[Getter], record: Fields) -> dict[str, object]:
    found = dict[str, object]()
    for get in objects:
        value = get(record)
        if value is not None:
            # A single object, which is the usual case, is not copied.
            found = {**found, **_object(value)} if found else _object(value)
    return found


def _object(value: object) -> dict[str, object]:
    if isinstance(value, str):
        try:
            value = from_json(value)
        except ValueError as flaw:
            raise ValueError(f"properties: {flaw}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("properties: is not an object")  # noqa: TRY004 (a mistake in the data)
    return value
