"""The stubs: a user's own work beside ours, and the package declares the versions that they need."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from leadscore.ingest.v1 import ingest_pb2_grpc

from cli import VERSION
from tests.conftest import ROOT

CLIENT = ROOT / "clients" / "python"
BOTH = """
from leadscore.client import Client
from leadscore.ingest.v1 import ingest_pb2 as on_path
{imports}
print(on_path.__file__.startswith({mine!r}), own.__file__.startswith({mine!r}))
event = own.Event.FromString(on_path.Event(event_id="1").SerializeToString())
assert event.event_id == "1"
with Client() as client:
    pass
"""


@pytest.fixture
def own_stubs(tmp_path: Path) -> Path:
    """A directory of stubs that a user generated from the protos with the current tools."""
    protos = [str(path) for path in (ROOT / "protos" / "leadscore").rglob("*.proto")]
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}", *outputs, *protos]
    subprocess.run(command, check=True, timeout=60)
    return tmp_path


def run(program: str, *path: Path) -> str:
    """Runs a program with a module path in a process of its own, and returns what it prints."""
    environment = {"PYTHONPATH": ":".join(map(str, path))}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_own_stubs_at_the_canonical_path_replace_ours(own_stubs: Path) -> None:
    program = BOTH.format(imports="from leadscore.ingest.v1 import ingest_pb2 as own", mine=str(own_stubs))
    assert run(program, own_stubs, CLIENT / "src") == "True True"


def test_own_stubs_in_a_package_of_the_user_work_beside_ours(own_stubs: Path) -> None:
    (own_stubs / "leadscore").rename(own_stubs / "mine")
    program = BOTH.format(imports="from mine.ingest.v1 import ingest_pb2 as own", mine=str(own_stubs))
    assert run(program, CLIENT / "src", own_stubs) == "False True"


def test_the_package_requires_what_its_stubs_require() -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    oldest = dict(requirement.split(">=") for requirement in project["dependencies"])
    assert ingest_pb2_grpc.GRPC_GENERATED_VERSION.startswith(oldest["grpcio"])
    stub = CLIENT / "src" / "leadscore" / "ingest" / "v1" / "ingest_pb2.py"
    assert f"# Protobuf Python Version: {oldest['protobuf']}\n" in stub.read_text()
    assert project["version"] == VERSION
