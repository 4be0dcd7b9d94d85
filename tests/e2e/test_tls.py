"""The whole system over mutual TLS: services, workers, clients, the command and the health check of containers."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from leadscore.client import AsyncClient, Client, NotFound, RetryPolicy, Targets, Tls, Unavailable

from testkit.certificates import Authority
from testkit.system import SERVERS, System, running_system
from testkit.waiting import eventually

ROOT = Path(__file__).parents[2]
IMPATIENT = RetryPolicy(total_seconds=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def settings(authority: Authority) -> dict[str, str]:
    return {**authority.issue("system"), **authority.trusted(), "LEADSCORE_TLS_CLIENTS": "required"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, settings: Mapping[str, str]) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("secure"), settings=settings) as running:
        yield running


@pytest.fixture
def targets(system: System) -> Targets:
    return Targets(**{server: system.target(server) for server in SERVERS})


@pytest.fixture
def tls(authority: Authority) -> Tls:
    pair = authority.issue("client", "website.example")
    return Tls(authority.file, pair["LEADSCORE_TLS_CERT_FILE"], pair["LEADSCORE_TLS_KEY_FILE"])


async def test_an_event_shows_in_the_intelligence_on_its_lead(targets: Targets, tls: Tls) -> None:
    async with AsyncClient(targets, tls=tls) as client:
        await client.track("ada", "demo_request")

        async def is_scored() -> bool:
            with contextlib.suppress(NotFound):
                return (await client.lead("ada")).score == 50
            return False

        await eventually(is_scored, what="a score of 50")


def test_the_client_for_threads_connects_by_the_environment(
    targets: Targets, settings: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with Client(targets) as client:
        assert not client.track("grace", "page_view").duplicate


@pytest.mark.parametrize("tls", [None, "authority"], ids=["plain text", "no certificate"])
def test_others_do_not_connect(targets: Targets, authority: Authority, tls: str | None) -> None:
    chosen = Tls(authority.file) if tls else None
    with Client(targets, tls=chosen, retry=IMPATIENT) as client, pytest.raises(Unavailable):
        client.track("eve", "page_view")


def run(*command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LEADSCORE_")} | variables
    return subprocess.run(
        [sys.executable, *command], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


async def test_the_health_check_of_containers_needs_the_environment_of_the_process(
    system: System, settings: dict[str, str]
) -> None:
    for name in (*SERVERS, "scoring-worker"):
        command = ["deploy/healthcheck.py", str(system.ports[name])]

        async def is_healthy(command: Sequence[str] = command) -> bool:
            return (await asyncio.to_thread(run, *command, **settings)).returncode == 0

        # It waits for three seconds only, which a busy machine may take.
        await eventually(is_healthy, what=f"{name} is healthy")
        unhealthy = await asyncio.to_thread(run, *command)
        assert unhealthy.returncode == 1
        assert "no answer: " in unhealthy.stderr
