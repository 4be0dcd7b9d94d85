"""A column of CSV has one type, which all its cells together decide, or a mapping file."""

from pathlib import Path
from typing import Any

import pytest

from cli.events.importing import ImportOptions
from cli.events.mapping.formats import AUTO
from tests.cli.importing import events, read


def values(tmp_path: Path, *cells: str, kind: str = "") -> list[Any]:
    """Returns the values that the cells of a column become, with None for those that are left out."""
    return [event["properties"].get("x") for event in events(*_table(tmp_path, cells, kind))]


def _table(tmp_path: Path, cells: tuple[str, ...], kind: str) -> tuple[Path, ImportOptions]:
    rows = (f'{number},ada,signup,2026-01-31T12:00:00Z,"{cell}"\n' for number, cell in enumerate(cells))
    (tmp_path / "events.csv").write_text("event_id,lead_id,event_type,time,x\n" + "".join(rows))
    (tmp_path / "mapping.yaml").write_text(
        "title: own\nlead_id: lead_id\nevent_id: event_id\nevent_type: event_type\nevent_time: time\n"
        "properties: {rest: true}\n" + (f"types: {{X: {kind}}}\n" if kind else "")
    )
    return tmp_path / "events.csv", ImportOptions(AUTO, tmp_path / "mapping.yaml")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2", "0", "1.5", "2e3"], [1, -2, 0, 1.5, 2000]),
        (["1", "", "3"], [1, None, 3]),
        (["1", "null", "NULL"], [1, None, None]),
        (["1", "two"], ["1", "two"]),
        (["null", "two"], ["null", "two"]),
        (["01099", "24103"], ["01099", "24103"]),
        (["+49431", "49431"], ["+49431", "49431"]),
        (["1,200", "7"], ["1,200", "7"]),
        (["0x10", "7"], ["0x10", "7"]),
        (["1_000", "7"], ["1_000", "7"]),
        (["٣", "7"], ["٣", "7"]),
        ([".5", "7"], [".5", "7"]),
        (["NaN", "7"], ["NaN", "7"]),
        (["inf", "7"], ["inf", "7"]),
        (["9007199254740991", "7"], [9007199254740991, 7]),
        (["9007199254740992", "7"], ["9007199254740992", "7"]),
        (["1e16", "7"], ["1e16", "7"]),
        (["true", "FALSE", "True"], [True, False, True]),
        (["true", "1"], ["true", "1"]),
        (["true", "null", ""], [True, None, None]),
        (["yes", "no"], ["yes", "no"]),
        (["null", ""], [None, None]),
    ],
)
def test_the_cells_of_a_column_decide_its_type(tmp_path: Path, cells: list[str], expected: list[Any]) -> None:
    assert values(tmp_path, *cells) == expected


def test_the_last_cell_decides_as_well_as_the_first(tmp_path: Path) -> None:
    assert values(tmp_path, *["1"] * 2000, "A1") == [*["1"] * 2000, "A1"]


@pytest.mark.parametrize(
    ("kind", "cells", "expected"),
    [
        ("text", ["1", "null"], ["1", "null"]),
        ("number", ["1", "2.5", "null", ""], [1, 2.5, None, None]),
        ("boolean", ["1", "0", "true", "null"], [True, False, True, None]),
    ],
)
def test_a_mapping_file_decides_instead(tmp_path: Path, kind: str, cells: list[str], expected: list[Any]) -> None:
    assert values(tmp_path, *cells, kind=kind) == expected


@pytest.mark.parametrize(
    ("kind", "flaw"),
    [("number", "x: is 'A1', must be a number"), ("boolean", "x: is 'A1', must be true or false")],
)
def test_a_cell_that_is_not_of_the_declared_type_is_refused(tmp_path: Path, kind: str, flaw: str) -> None:
    first, second = read(*_table(tmp_path, ("1", "A1"), kind))
    assert first.event is not None
    assert (second.flaw or "").startswith(flaw)


def test_ids_keep_their_digits(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("event_id,lead_id,event_type,time\n007,1e5,12,1769860800\n")
    _, options = _table(tmp_path, (), "")
    (tmp_path / "events.csv").write_text("event_id,lead_id,event_type,time\n007,1e5,12,1769860800\n")
    (event,) = events(tmp_path / "events.csv", options)
    assert (event["event_id"], event["lead_id"], event["event_type"]) == ("007", "1e5", "12")
    assert event["event_time"] == "2026-01-31T12:00:00Z"


def test_values_that_differ_only_in_type_are_kept_apart(tmp_path: Path) -> None:
    assert [type(value) for value in values(tmp_path, "1", "2")] == [int, int]
    assert [type(value) for value in values(tmp_path, "true")] == [bool]
