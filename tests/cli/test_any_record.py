"""Whatever a record holds, a format makes events of it that can be sent, or says what is wrong with it."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.events.files.records import Record
from cli.events.mapping.cells import ObservedCells
from cli.events.mapping.files import read_preset
from cli.events.mapping.lines import Table, to_lines
from shared.mapping.presets import PRESETS
from shared.mapping.schema import MappingFile
from shared.mapping.times.readers import TimeOptions
from tests.cli.importing import BERLIN

NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3) | st.just(Decimal("1E+30"))
TEXTS = st.text(max_size=8) | st.sampled_from(["", "null", "true", "1", "01", "1e5", "{", '{"a": 1}', "[]", "\ud800"])
TIMES = st.sampled_from(["2026-01-31T12:00Z", "2026-10-25 02:30", "0001-01-01", "9999-12-31 23:00", 1_795_161_600])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | TIMES
KEYS = TEXTS | st.sampled_from(["key", "value", "int_value", "a"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
"""Any value of JSON, with those that formats look at more often than by chance."""


def names(mapping: MappingFile) -> list[str]:
    """Returns some of the fields that a format reads."""
    return sorted({"a", *(path.split(".")[0] for path in re.findall(r"name='([^']+)'", repr(mapping)))})


def check(mapping: MappingFile, table: Table | None, fields: Mapping[str, Any], options: TimeOptions) -> None:
    for line in to_lines([Record(7, dict(fields))], mapping, options, table):
        assert line.number == 7
        assert (line.event is None) != (line.flaw is None)
        if line.event is not None:
            assert line.event.SerializeToString()
            assert line.event.event_time.ToDatetime()


@pytest.mark.parametrize("name", PRESETS)
@settings(max_examples=25)
@given(data=st.data())
def test_an_object(name: str, data: st.DataObject) -> None:
    mapping = read_preset(name)
    fields = data.draw(st.dictionaries(st.sampled_from(names(mapping)), VALUES, max_size=12))
    check(mapping, None, fields, data.draw(st.sampled_from([TimeOptions(), BERLIN])))


@pytest.mark.parametrize("name", PRESETS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_row(name: str, data: st.DataObject) -> None:
    mapping = read_preset(name)
    columns = names(mapping)
    cells = TEXTS.filter(bool) | TIMES.map(str) | NUMBERS.map(str)
    fields = data.draw(st.dictionaries(st.sampled_from(columns), cells, max_size=12))
    observed = ObservedCells(mapping.types, columns)
    observed.look(Record(7, fields))
    options = data.draw(st.sampled_from([TimeOptions(), BERLIN]))
    check(mapping, Table(columns, observed.converts()), fields, options)
