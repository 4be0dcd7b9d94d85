"""Building wheels, and environments to install them into."""

import os
import subprocess
import sys
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

INSTALL_SECONDS = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this directory: each installs from a package index."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("network")


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that holds one wheel and what it depends on, and nothing of this checkout."""

    directory: Path

    def install(self, project: Path, constraints: Iterable[str]) -> None:
        """Builds the wheel of a project, and installs it with these versions (`name==1.2`) of its dependencies."""
        wheels, versions = self.directory / "wheels", self.directory / "constraints.txt"
        versions.write_text("\n".join(constraints))
        build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
        self._pip(Path(sys.executable), *build, str(project))
        (wheel,) = wheels.glob("*.whl")
        venv.create(self.directory / "venv", with_pip=True)
        python = self.directory / "venv" / "bin" / "python"
        self._pip(python, "install", "--only-binary", ":all:", "--constraint", str(versions), str(wheel))

    def run(self, *command: str, seconds: float) -> str:
        """Runs a program of the environment, far from the checkout, and returns what it prints."""
        variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        program, *arguments = command
        done = subprocess.run(
            [str(self.directory / "venv" / "bin" / program), *arguments],
            cwd=self.directory,
            env=variables,
            timeout=seconds,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def _pip(self, python: Path, *arguments: str) -> None:
        subprocess.run([str(python), "-m", "pip", "--quiet", *arguments], cwd=ROOT, check=True, timeout=INSTALL_SECONDS)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment without packages."""
    return Environment(tmp_path)
