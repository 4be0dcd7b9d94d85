"""leadscore-client with the oldest grpcio and protobuf that it supports, against a real system."""

import tomllib
from pathlib import Path

from testkit.system import SERVERS, running_system
from tests.conftest import ROOT
from tests.packaging.conftest import Environment

PROGRAM = """
import sys
import time
from importlib.metadata import version

from leadscore.client import Client, NotFound, RetryPolicy, Targets

print(*(f"{name}=={version(name)}" for name in ("grpcio", "protobuf")))
with Client(Targets(*sys.argv[1:]), retry=RetryPolicy(total_seconds=120)) as client:
    client.track("ada", "demo_request", properties={"product": "Difference Engine"})
    for _ in range(600):
        try:
            print("score", client.lead("ada").score)
            break
        except NotFound:
            time.sleep(0.1)
"""


def test_the_oldest_supported_versions_ingest_an_event(environment: Environment, tmp_path: Path) -> None:
    project = ROOT / "clients" / "python"
    dependencies = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    environment.install(project, (each.replace(">=", "==") for each in dependencies))
    (tmp_path / "system").mkdir()
    with running_system(tmp_path / "system") as system:
        targets = [system.target(server) for server in SERVERS]
        printed = environment.run("python", "-c", PROGRAM, *targets, seconds=180)
    assert printed.splitlines() == ["grpcio==1.76.0 protobuf==6.31.1", "score 50"]
