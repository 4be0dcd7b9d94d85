"""The commands and mapping files of docs/importing.md do what it says."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from cli.events.mapping.files import read_mapping
from cli.terminal.connection import CommandError
from shared.mapping.presets import PRESETS
from shared.mapping.schema import EventSection, MappingFile
from tests.cli.importing import EXPORTS

TEXT = (Path(__file__).parents[2] / "docs" / "importing.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line.split("#")[0] for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
MAPPINGS = [block for kind, block in BLOCKS if kind == "yaml"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_all_lines_of_a_small_export(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXPORTS)
    monkeypatch.setattr("cli.events.commands.ask_system", lambda _: None)
    monkeypatch.setattr("cli.events.commands.preview_json", lambda preview, _: _counts(preview))
    program, *arguments = shlex.split(command)
    result = CliRunner().invoke(app, [*arguments, "--dry-run", "--json"])
    assert program == "leadscore"
    assert result.exit_code == 0, result.output
    assert result.stdout == '{"rejected": 0, "has_events": true}\n'


def _counts(preview: object) -> dict[str, object]:
    return {"rejected": preview.rejected, "has_events": bool(preview.types)}  # type: ignore[attr-defined]


def test_every_format_has_a_command_and_a_row() -> None:
    assert {name for name in PRESETS if f"`{name}`" in TEXT} == set(PRESETS)
    used = {Path(argument).name for command in COMMANDS for argument in shlex.split(command)}
    assert {path.name for path in EXPORTS.iterdir()} <= used


def test_every_field_of_a_mapping_file_is_described() -> None:
    fields = MappingFile.model_fields.keys() | EventSection.model_fields.keys()
    assert {name for name in fields if f"`{name}`" not in TEXT} == set()


@pytest.mark.parametrize("text", MAPPINGS)
def test_a_mapping_file_is_valid(text: str, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(text)
    assert read_mapping(tmp_path / "mapping.yaml").title


def test_the_mapping_file_of_the_example_is_the_one_that_its_command_uses() -> None:
    assert MAPPINGS[0] == (EXPORTS / "leads.yaml").read_text()


def test_the_mistake_of_the_example_is_reported_as_shown(tmp_path: Path) -> None:
    (tmp_path / "leads.yaml").write_text(MAPPINGS[0].replace("zone:", "zne:"))
    with pytest.raises(CommandError) as caught:
        read_mapping(tmp_path / "leads.yaml")
    assert str(caught.value).removeprefix(f"{tmp_path}/") in TEXT
