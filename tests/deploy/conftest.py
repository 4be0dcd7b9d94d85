"""kubectl and helm, which `make test` fetches."""

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

TOOLS = ROOT / ".venv" / "kubernetes"
Objects = dict[tuple[str, str], dict[str, Any]]
"""Objects of Kubernetes by kind and name."""


def objects_of(command: list[str]) -> Objects:
    """Returns the objects that a command prints."""
    printed = subprocess.run(command, cwd=ROOT / "deploy", check=True, capture_output=True, text=True).stdout
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(printed) if each}


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Returns the path of a tool; skips the test if it is not there, except in CI."""

    def path(name: str) -> str:
        found = TOOLS / name / name
        if not found.exists() and not os.environ.get("CI"):
            pytest.skip(f"there is no {name}: make .venv/kubernetes/installed")
        return str(found)

    return path


@pytest.fixture(scope="session", params=["small", "production"])
def overlay(request: pytest.FixtureRequest) -> str:
    """Returns the name of an overlay."""
    return str(request.param)


@pytest.fixture(scope="session")
def objects(tool: Callable[[str], str], overlay: str) -> Objects:
    """Returns the objects of an overlay."""
    return objects_of([tool("kubectl"), "kustomize", f"kubernetes/overlays/{overlay}"])


@pytest.fixture(scope="session")
def chart(tool: Callable[[str], str], overlay: str) -> Objects:
    """Returns the objects of the Helm chart with the values of an overlay."""
    values = [] if overlay == "small" else ["--values", f"helm/leadscore/values-{overlay}.yaml"]
    return objects_of([tool("helm"), "template", "leadscore", "helm/leadscore", *values])
