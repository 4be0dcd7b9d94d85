"""What is in the image, and its health check."""

import asyncio
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse

from testkit.waiting import eventually
from tests.conftest import ROOT


def pins(name: str) -> dict[str, str]:
    """Returns the versions that a lock file has, by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", ["deploy/requirements.lock", "deploy/envoy.lock"])
def test_the_image_has_the_versions_that_are_tested(name: str) -> None:
    assert pins(name).items() <= pins("requirements.lock").items()


def test_every_package_of_the_wheel_comes_into_the_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    allowed = (ROOT / ".dockerignore").read_text().split()
    missing = [name for name in packages if not any(f"!{part}" in allowed for part in (name, str(Path(name).parent)))]
    assert missing == []


async def test_the_health_check_finds_the_port_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> int:
        return subprocess.run([sys.executable, ROOT / "deploy/healthcheck.py"], check=False).returncode

    async def says_serving() -> bool:
        return await asyncio.to_thread(check) == 0

    health = HealthServicer()
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        monkeypatch.setenv("LEADSCORE_HEALTH_PORT", str(server.add_insecure_port("127.0.0.1:0")))
        server.start()
        try:
            health.set("", HealthCheckResponse.SERVING)
            await eventually(says_serving, what="a process that serves is healthy")  # it gives a process three seconds
            health.set("", HealthCheckResponse.NOT_SERVING)
            assert not await says_serving()
        finally:
            server.stop(0).wait()
