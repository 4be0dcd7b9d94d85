"""The examples of docs/http.md work word for word, and its table lists every path."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.http.routes import SERVICES, routes
from testkit.http_api import HttpApi, running_http_api
from testkit.system import running_system
from testkit.waiting import eventually

TEXT = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
BLOCKS = re.findall(r"^```(sh|json)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SECONDS = 60


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpApi]:
    directory = tmp_path_factory.mktemp("system")
    with running_system(directory) as system:
        targets = {server: system.target(server) for server in SERVICES}
        with running_http_api(directory, targets) as running:
            yield running


async def test_the_examples_answer_as_shown(api: HttpApi) -> None:
    commands = [(number, block) for number, (kind, block) in enumerate(BLOCKS) if kind == "sh" and "curl" in block]
    assert len(commands) >= 6
    for number, command in commands:
        kind, shown = BLOCKS[number + 1] if number + 1 < len(BLOCKS) else ("", "")
        expected = json.loads(shown) if kind == "json" else "…"
        answer = json.loads(_run(command, api))
        if " -d " in command:
            assert _matches(answer, expected), f"{command}\n{answer}"
        else:  # scoring takes a moment after the event is accepted
            await eventually(
                lambda command=command, expected=expected: _answers(command, expected, api),  # type: ignore[misc]
                what=f"{command} answers {expected}",
            )


async def _answers(command: str, expected: object, api: HttpApi) -> bool:
    return _matches(json.loads(await asyncio.to_thread(_run, command, api)), expected)


def _run(command: str, api: HttpApi) -> str:
    environment = os.environ | {"LEADSCORE": api.url}
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _matches(found: object, shown: object) -> bool:
    """Returns whether an answer is as shown; `…` stands for anything."""
    if shown == "…":
        return True
    if isinstance(shown, dict):
        return (
            isinstance(found, dict)
            and found.keys() == shown.keys()
            and all(_matches(found[k], shown[k]) for k in shown)
        )
    if isinstance(shown, list):
        return isinstance(found, list) and len(found) == len(shown) and all(map(_matches, found, shown))
    return found == shown


def test_the_table_lists_every_path() -> None:
    rows = re.findall(r"^\| ([A-Z, ]+) \| `(/v1/[^`]+)` \| ([^|]+) \|$", TEXT, re.MULTILINE)
    listed = {
        (verb, path.replace("rule.", ""), method)
        for verbs, path, methods in rows
        for verb, method in zip(verbs.split(", "), re.findall(r"\b[A-Z]\w+", methods), strict=True)
    }
    assert listed == {(each.verb, each.template.replace("rule.", ""), each.method.name) for each in routes()}
