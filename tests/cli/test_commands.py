"""What all commands have in common."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from cli.__main__ import app
from tests.cli.servicer import json_of, serving


def commands(command: Any, name: str = "") -> Iterator[tuple[str, TyperCommand]]:
    """Yields each command below one, with its words."""
    if not isinstance(command, TyperGroup):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from commands(inner, f"{name} {word}".strip())


COMMANDS = dict(commands(get_command(app)))
JSON_ONLY = {"export lead"}
"""Commands that print nothing but JSON."""
MAX_OPTIONS = 11
"""Of a heading of the help: more are too many to find what matters."""


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - JSON_ONLY))
def test_each_command_prints_json_if_asked(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert options & {"--json", "--format"}, "exports have ndjson as one of their formats"


def test_paragraphs_of_help_texts_fill_the_lines_of_the_terminal() -> None:
    shown = CliRunner().invoke(app, ["doctor", "--help"], env={"COLUMNS": "80"}).stdout
    assert "part of the system does not work. It checks" in shown, "the docstring has a line break here"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_heading_of_the_help_has_too_many_options(name: str) -> None:
    headings = Counter(getattr(each, "rich_help_panel", None) or "Options" for each in COMMANDS[name].params)
    assert max(headings.values(), default=0) <= MAX_OPTIONS, f"group the options of {name}: {headings}"


def test_deleting_a_rule_reports_its_id() -> None:
    with serving(automation=True) as (_, run):
        people, programs = run("rules", "delete", "call-hot"), run("rules", "delete", "call-hot", "--json")
    assert (people.stdout, people.stderr) == ("", "deleted: call-hot\n")
    assert json_of(programs) == [{"deleted_rule_id": "call-hot"}]
