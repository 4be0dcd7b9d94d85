"""The harness is tried as well: faults planted into a copy of the code must each be caught."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from tests.conftest import ROOT

SECONDS = 400.0
"""Longest time for the rounds of one planted fault."""
NOT_CODE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "chaos.json")
FREE = "__import__('asyncio').get_running_loop().create_task"
"""A task in a context of its own is in no transaction."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault of the code: what is replaced in which files, which rounds must notice it, and what they may call it."""

    edits: Sequence[tuple[str, str, str]]
    rounds: Sequence[str]
    noticed_as: frozenset[str]


PLANTED: Mapping[str, Planted] = {
    "acknowledge before the insert": Planted(
        [
            (
                "ingest_service/usecases/ingest.py",
                "iter(await to_the_end(self.store.put(sound)) if sound else ())",
                # A moment before it: an answer that the crash overtakes is none.
                (
                    "(lambda a: a.get_running_loop().call_later(0.1, lambda: a.ensure_future(self.store.put(sound))))"
                    "(__import__('asyncio')) "
                    "and iter([Stored.NEW] * len(sound))"
                ),
            )
        ],
        ["crash ingest: before the insert"],
        frozenset({"I1"}),
    ),
    "w:1": Planted(
        [
            (
                "ingest_service/store.py",
                "durable(self._inbox.rows).insert_many",
                "self._inbox.rows.with_options(write_concern=__import__('pymongo').WriteConcern(1)).insert_many",
            )
        ],
        ["primary killed ahead"],
        frozenset({"I1", "I3", "I10"}),
    ),
    "sweeper off": Planted(
        [
            (
                "shared/inbox/consumer.py",
                "        await asyncio.sleep(every)",
                "        await asyncio.sleep(1e9 * every)",
            )
        ],
        ["redis killed", "kill all", "kill scoring-worker"],
        frozenset({"I3", "I13"}),
    ),
    "outbox row outside the transaction": Planted(
        [
            (
                "scoring_service/store/writes.py",
                "await self._changes.rows.insert_many(changes, ordered=False)",
                (
                    f"await {FREE}(self._changes.rows.insert_many(changes, ordered=False), "
                    "context=__import__('contextvars').Context())"
                ),
            )
        ],
        ["crash scoring: before the commit"],
        frozenset({"I6", "I8"}),
    ),
    "date bucket from the clock at the evaluation": Planted(
        [
            (
                "automation_service/store/documents.py",
                'date_bucket=row["date_bucket"]',
                "date_bucket=__import__('shared.wire').wire.now().date().isoformat()",
            )
        ],
        ["midnight"],
        frozenset({"I8"}),
    ),
    "a dropped unique index": Planted(
        [("automation_service/store/__init__.py", 'name="once", unique=True', 'name="once"')],
        ["kill automation-worker"],
        frozenset({"I8"}),
    ),
    "a caught DuplicateKeyError": Planted(
        [
            (
                "automation_service/store/__init__.py",
                "            await self._executions.insert_many(",
                "          with IGNORED:\n            await self._executions.insert_many(",
            ),
            (
                "automation_service/store/__init__.py",
                'T = TypeVar("T")\n',
                "T = TypeVar(\"T\")\nIGNORED = __import__('contextlib').suppress(DuplicateKeyError)\n",
            ),
            (
                "automation_service/store/__init__.py",
                "return {Key(**row) async for row in rows} & set(keys)",
                "return {Key(**row) async for row in rows if not row}",
            ),
        ],
        ["kill automation-worker"],
        frozenset({"I8", "I13"}),
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_caught(tmp_path: Path, name: str) -> None:
    planted = PLANTED[name]
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=NOT_CODE)
    for file, old, new in planted.edits:
        text = (copy / file).read_text()
        assert text.count(old) == 1, f"expected once in {file}: {old}"
        (copy / file).write_text(text.replace(old, new))
    environment = os.environ | {"ROUNDS": str(len(planted.rounds)), "FAULTS": ",".join(planted.rounds), "SEED": "3"}
    command = [sys.executable, "-m", "chaos"]
    with subprocess.Popen(command, cwd=copy, env=environment, stdout=PIPE, stderr=STDOUT, text=True) as rounds:
        try:
            told, _ = rounds.communicate(timeout=SECONDS)
        except BaseException:
            rounds.terminate()  # it ends the servers that it has started
            raise
    assert rounds.returncode == 1, f"expected violations: {told[-4000:]}"
    bad = json.loads((copy / "chaos.json").read_text())["rounds_with_violations"]
    assert {text.split()[0] for each in bad for text in each["violations"]} & planted.noticed_as, bad
