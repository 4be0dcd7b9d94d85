"""The edits of `make proof` still fit the code. If one does not, update `planted.py` when you move its line."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.fault import FAULTS
from chaos.series import named
from tests.chaos.planted import PLANTED, Planted, plant
from tests.conftest import ROOT

NAMES = list(PLANTED)


def files(planted: Planted) -> Iterator[str]:
    yield from {file for file, _, _ in planted.edits}


@pytest.mark.parametrize("name", NAMES)
def test_each_edit_fits_once_and_leaves_valid_python(tmp_path: Path, name: str) -> None:
    planted = PLANTED[name]
    for file in files(planted):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    plant(planted, tmp_path)
    for file in files(planted):
        ast.parse((tmp_path / file).read_text())


@pytest.mark.parametrize("name", NAMES)
def test_each_bug_names_rounds_that_exist(name: str) -> None:
    assert {fault.name for fault in named(",".join(PLANTED[name].rounds))} <= set(FAULTS)
