"""Output of commands: Rich for people, JSON lines for programs, progress on standard error."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from shared.message_files.scalars import from_number

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Prints a status line for people on standard error, without interpreting markup in it."""
    ERR.print(printable(text), style="dim", soft_wrap=True, markup=False)


def is_terminal() -> bool:
    """Returns whether a person can be asked for confirmation."""
    return sys.stdin.isatty()


def printable(text: str) -> str:
    """Returns a text with every control character replaced, so that it cannot control the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def to_json(message: Message) -> dict[str, object]:
    """Returns a message as JSON values, with the field names of the proto and every plain field."""
    found = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return {name: whole(value) for name, value in found.items()}


def whole(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """Returns a JSON value with whole numbers as integers: protobuf makes 250 a 250.0, which some programs refuse."""
    if isinstance(value, dict):
        return {name: whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    return from_number(value) if isinstance(value, float) else value


def show(view: RenderableType, *messages: Message, as_json: bool) -> None:
    """Prints the view, or with `as_json` the messages as JSON, one per line."""
    if as_json:
        for message in messages:
            print_json(to_json(message))
    elif isinstance(view, str):
        # The terminal wraps sentences; markup in data is not interpreted.
        OUT.print(printable(view), soft_wrap=True, markup=False)
    else:
        OUT.print(view)


def print_json(value: object) -> None:
    """Prints JSON on one line, with control characters escaped."""
    written = json.dumps(value, ensure_ascii=False)
    escaped = (character if character.isprintable() else json.dumps(character)[1:-1] for character in written)
    print("".join(escaped), flush=True)  # noqa: T201 (this is where the command prints)


class Bar:
    """A progress bar; `total` may be unknown until later."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def update(self, done: int, *, total: int | None = None, note: str = "") -> None:
        """Shows how many items are done, out of how many, and a note."""
        self._progress.update(self._task, completed=done, total=total, note=note)


@contextmanager
def bar(title: str) -> Iterator[Bar]:
    """Shows a progress bar while the block runs."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as progress:
        yield Bar(progress, progress.add_task(title, total=None, note=""))
