"""The fault rounds catch real bugs: each bug is planted into a copy of the code, and some round must report it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from tests.chaos.planted import PLANTED, plant
from tests.conftest import ROOT

SECONDS = 400.0
"""Time limit for the rounds of one bug."""
NOT_CODE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "chaos.json")


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_caught(tmp_path: Path, name: str) -> None:
    planted = PLANTED[name]
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=NOT_CODE)
    plant(planted, copy)
    environment = os.environ | {"ROUNDS": str(len(planted.rounds)), "FAULTS": ",".join(planted.rounds), "SEED": "3"}
    command = [sys.executable, "-m", "chaos"]
    with subprocess.Popen(command, cwd=copy, env=environment, stdout=PIPE, stderr=STDOUT, text=True) as rounds:
        try:
            output, _ = rounds.communicate(timeout=SECONDS)
        except BaseException:
            rounds.terminate()  # it stops the servers that it has started
            raise
    assert rounds.returncode == 1, f"expected violations: {output[-4000:]}"
    reported = json.loads((copy / "chaos.json").read_text())["rounds_with_violations"]
    assert {text.split()[0] for each in reported for text in each["violations"]} & planted.noticed_as, reported
