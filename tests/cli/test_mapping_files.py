"""Mistakes in mapping files are reported with their lines, and with what is allowed."""

from pathlib import Path

import pytest

from cli.events.importing import ImportOptions
from cli.events.mapping.files import read_mapping, read_preset
from cli.terminal.connection import CommandError
from shared.mapping.presets import PRESETS, preset_path
from tests.cli.importing import read, written
from tests.cli.test_mapping import ROW, WHOLE


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (WHOLE + "lead: x\n", "line 6, lead: is unknown; did you mean lead_id?"),
        (
            WHOLE + "properties: {everything: true}\n",
            "everything: is unknown; must be one of objects, fields, rest, without",
        ),
        (WHOLE.replace(": when", ": {from: when, zne: UTC}"), "line 5, event_time.zne: is unknown; did you mean zone?"),
        (WHOLE.replace(": when", ": {zone: UTC}"), "line 5, event_time.from: is missing"),
        (
            WHOLE.replace(": when", ": {from: when, zone: Mars}"),
            "'Mars' is not a time zone such as Europe/Berlin or UTC",
        ),
        (WHOLE.replace(": when", ": {from: when, format: d/m/y}"), "'d/m/y' is not a time format: give one of seconds"),
        (WHOLE.replace(": when", ": {from: when, repeated: third}"), "repeated: must be 'first' or 'second'"),
        (
            WHOLE.replace(": who", ": 7"),
            "line 2, lead_id: must be a field such as userId, a list of fields, a template",
        ),
        (WHOLE.replace(": who", ": []"), "line 2, lead_id: must be a field such as userId"),
        (WHOLE.replace(": who", ": '{who'"), "line 2, lead_id: is '{who', which has an unmatched brace"),
        (WHOLE.replace(": who", ": 'crm-{}'"), "line 2, lead_id: has braces without a field in them"),
        (WHOLE.replace(": who", ": {hash: []}"), "line 2, lead_id: must be a field"),
        (WHOLE + "types: {size: integer}\n", "line 6, types.size: must be 'text', 'number' or 'boolean'"),
        (
            WHOLE + "events:\n- when: {size: 7.5}\n",
            "line 7, events[0].when.size: must be text, a list of text values, true",
        ),
        (WHOLE + "events:\n- wenn: {a: b}\n", "line 7, events[0].wenn: is unknown; did you mean when?"),
        (WHOLE.replace("lead_id: who\n", ""), "lead_id is missing: give it once, or in each of the events"),
        (WHOLE.replace("title: Visits\n", ""), "title: is missing"),
        (WHOLE + "title: twice\n", "line 6, column 1: 'title' is given twice"),
        (WHOLE + "---\n" + WHOLE, "has 2 documents, must have one"),
        ("", "has 0 documents, must have one"),
        ("- a\n", "line 1: must be a mapping"),
        ("a: &x 1\n", "anchors and aliases are not allowed"),
        ("\ta: 1\n", "is indented with a tab"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, mapping: str, message: str) -> None:
    (tmp_path / "mapping.yaml").write_text(mapping)
    with pytest.raises(CommandError) as caught:
        read_mapping(tmp_path / "mapping.yaml")
    assert str(caught.value).startswith(f"{tmp_path / 'mapping.yaml'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.details == ()


def test_all_mistakes_are_reported(tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(WHOLE.replace(": who", ": 7") + "lead: x\nfoo: y\n")
    with pytest.raises(CommandError, match="is not a valid mapping file") as caught:
        read_mapping(tmp_path / "mapping.yaml")
    assert [detail.split(":")[0] for detail in caught.value.details] == [
        "line 2, lead_id",
        "line 6, lead",
        "line 7, foo",
    ]


def test_a_mapping_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        read_mapping(tmp_path / "none.yaml")


def test_an_unknown_format_is_answered_with_all_formats(tmp_path: Path) -> None:
    with pytest.raises(
        CommandError, match=r"--format 'hubspott' is unknown: give auto, leadscore-export, .* or mautic"
    ):
        read(written(tmp_path / "rows.ndjson", ROW), ImportOptions(format="hubspott"))


@pytest.mark.parametrize("name", PRESETS)
def test_formats_that_come_with_leadscore(name: str) -> None:
    mapping = read_preset(name)
    assert mapping.title
    assert mapping.recognise or mapping.columns, "a format is recognised by something"
    assert preset_path(name).read_text().startswith("#"), "a format begins with a comment that describes it"


def test_every_mapping_file_that_is_shipped_has_a_name() -> None:
    assert {path.stem for path in preset_path("ga4").parent.glob("*.yaml")} == set(PRESETS)
