"""The values of a mapping file, which say where the values of an event come from.

* `context.traits.email` is a path: the field of that name or, if there is none, a nested field.
* `[userId, anonymousId]` is a list: the first of its values that is not empty.
* `mkto-{marketoGUID}` is a template: the paths in braces are replaced by their values, and `{a|b}` by the first of them
  that is not empty. A template is empty if one of its values is.
* `{constant: crm}` is always the same value.
* `{hash: [event, time]}` is a short hash of several values, for ids that the file does not have.
* `{pairs: event_params}` is a list of objects with a `key` and a `value`, as one object.

A value that is an object may also be text that contains its JSON. Null and blank text are empty.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.mapping.json_values import from_json, to_object, to_text

Fields = Mapping[str, object]
Getter = Callable[[Fields], object]
"""Returns a value of a record; None if it is empty."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_HASH_BYTES = 16


def column_key(name: str) -> str:
    """Returns what two names of one column have in common: letter case, spaces and underscores do not matter."""
    return "".join(name.split()).replace("_", "").casefold()


class Columns:
    """The columns of a table, which are found by name whatever their letter case, spaces and underscores are.

    Fields of files that are not tables are found by their exact names: then `columns` is None.
    """

    def __init__(self, columns: Sequence[str] | None) -> None:
        self._by_key = None if columns is None else {column_key(column): column for column in columns}

    def find(self, name: str) -> str | None:
        """Returns the column of a name; None if the table has none."""
        return name if self._by_key is None else self._by_key.get(column_key(name))


@dataclass(frozen=True, slots=True)
class Path:
    """A field, or a nested field."""

    name: str

    def compile(self, columns: Columns) -> Getter:
        """Returns the getter of the field, which is empty if a table has no such column."""
        whole = columns.find(self.name)
        first, *rest = self.name.split(".")
        outer = columns.find(first)
        if not rest or outer is None:
            return nothing if whole is None else _field(whole)
        return _nested(whole or self.name, outer, rest)

    def fields(self, columns: Columns) -> set[str]:
        """Returns the fields of the record that the value is made of."""
        names = self.name, self.name.partition(".")[0]
        return {found for name in names if (found := columns.find(name)) is not None}


@dataclass(frozen=True, slots=True)
class FirstOf:
    """The first of several values that is not empty."""

    values: "tuple[Value, ...]"

    def compile(self, columns: Columns) -> Getter:
        """Returns the getter of the value."""
        getters = [value.compile(columns) for value in self.values]
        getters = [getter for getter in getters if getter is not nothing]
        return _first_of(getters) if len(getters) > 1 else getters[0] if getters else nothing

    def fields(self, columns: Columns) -> set[str]:
        """Returns the fields of the record that the value is made of."""
        return set[str]().union(*(value.fields(columns) for value in self.values))


@dataclass(frozen=True, slots=True)
class Template:
    """Text with values in it; `parts` alternate between text and values, and begin with text."""

    parts: "tuple[str | Value, ...]"

    def compile(self, columns: Columns) -> Getter:
        """Returns the getter of the text."""
        parts = [part if isinstance(part, str) else part.compile(columns) for part in self.parts]

        def get(fields: Fields) -> object:
            found = [part if isinstance(part, str) else to_text(part(fields)) for part in parts]
            return None if None in found else "".join(map(str, found))

        return nothing if nothing in parts else get

    def fields(self, columns: Columns) -> set[str]:
        """Returns the fields of the record that the value is made of."""
        return set[str]().union(*(part.fields(columns) for part in self.parts if not isinstance(part, str)))


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value for every record."""

    value: object

    def compile(self, _: Columns) -> Getter:
        """Returns the getter of the value."""
        return lambda _: self.value

    def fields(self, _: Columns) -> set[str]:
        """Returns no fields."""
        return set()


@dataclass(frozen=True, slots=True)
class Hash:
    """A hash of several values, some of which may be empty."""

    values: "tuple[Value, ...]"

    def compile(self, columns: Columns) -> Getter:
        """Returns the getter of the hash: 32 hexadecimal digits; it is empty if all values are."""
        getters = [value.compile(columns) for value in self.values]

        def get(fields: Fields) -> object:
            found = [getter(fields) for getter in getters]
            written = json.dumps(found, sort_keys=True, default=str, ensure_ascii=False)
            return None if all(each is None for each in found) else _hash(written)

        return get

    def fields(self, columns: Columns) -> set[str]:
        """Returns the fields of the record that the value is made of."""
        return FirstOf(self.values).fields(columns)


@dataclass(frozen=True, slots=True)
class Pairs:
    """A list of keys and values as an object. A value may be an object with one field that is set, as in BigQuery.

    Text in a field such as `int_value` or `float_value` is then a number, because BigQuery writes 64-bit numbers as
    text.
    """

    value: "Value"

    def compile(self, columns: Columns) -> Getter:
        """Returns the getter of the object."""
        inner = self.value.compile(columns)

        def get(fields: Fields) -> object:
            pairs = from_json(inner(fields))
            return None if pairs is None else to_object(pairs)

        return get

    def fields(self, columns: Columns) -> set[str]:
        """Returns the fields of the record that the value is made of."""
        return self.value.fields(columns)


Value = Path | FirstOf | Template | Constant | Hash | Pairs
VALUE_KEYS = {"constant", "hash", "pairs"}
"""The keys of the values that are written as a mapping."""


def parse_value(written: object) -> Value:
    """Returns the value that a mapping file describes.

    Raises:
        ValueError: It describes none.
    """
    match written:
        case str() if written.strip():
            return _template(written) if "{" in written else Path(written)
        case [_, *_]:
            return FirstOf(tuple(map(parse_value, written)))
        case {"constant": value, **others} if not others:
            return Constant(value)
        case {"hash": [_, *_] as values, **others} if not others:
            return Hash(tuple(map(parse_value, values)))
        case {"pairs": value, **others} if not others:
            return Pairs(parse_value(value))
        case _:
            raise ValueError(
                "must be a field such as userId, a list of fields, a template such as 'crm-{id}', {constant: value}, "
                "{hash: [fields]} or {pairs: field}"
            )


def _template(text: str) -> Template:
    texts = _PLACEHOLDER.split(text)
    parts = [part if index % 2 == 0 else _alternatives(part) for index, part in enumerate(texts)]
    if any("{" in part or "}" in part for part in parts if isinstance(part, str)):
        raise ValueError(f"is {text!r}, which has an unmatched brace")
    return Template(tuple(parts))


def _alternatives(text: str) -> Value:
    if not all(name.strip() for name in text.split("|")):
        raise ValueError("has braces without a field in them")
    return FirstOf(tuple(Path(name.strip()) for name in text.split("|")))


def nothing(_: Fields) -> object:
    """Gets a value that is always empty."""
    return None


def _field(name: str) -> Getter:
    def get(fields: Fields) -> object:
        value = fields.get(name)
        return None if value == "" else value

    return get


def _nested(whole: str, outer: str, rest: list[str]) -> Getter:
    def get(fields: Fields) -> object:
        if whole in fields:
            return fields[whole]
        value = fields.get(outer)
        for part in rest:
            if isinstance(value, str):
                value = from_json(value)
            if not isinstance(value, dict):
                return None
            value = value.get(part)
        return None if value == "" else value

    return get


def _first_of(getters: list[Getter]) -> Getter:
    def get(fields: Fields) -> object:
        for getter in getters:
            value = getter(fields)
            if value is not None:
                return value
        return None

    return get


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=_HASH_BYTES).hexdigest()
