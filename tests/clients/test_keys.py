"""The key that clients and commands show: where it comes from, and that every call carries it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from leadscore.client import AsyncClient, Client, LeadscoreError, Targets
from typer.testing import CliRunner

from cli.__main__ import app
from cli.local.demo import free_base_port
from cli.terminal.connection import CommandError


class Listener(grpc.GenericRpcHandler):
    """Notes what the calls carry, and answers them with UNIMPLEMENTED."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> None:
        """Notes the method and the `authorization` of a call."""
        carried = dict(handler_call_details.invocation_metadata)
        method = str(handler_call_details.method).rsplit("/", 1)[-1]
        self.seen.append((method, str(carried.get("authorization", ""))))


@pytest.fixture(autouse=True)
def _no_key_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LEADSCORE_API_KEY", "LEADSCORE_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def base_port() -> int:
    return free_base_port()


@pytest.fixture
def listener(base_port: int) -> Iterator[Listener]:
    listener = Listener()
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, handlers=[listener], options=[("grpc.so_reuseport", 0)])
        for number in range(5):
            server.add_insecure_port(f"127.0.0.1:{base_port + number}")
        server.start()
        yield listener
        server.stop(None).wait()


def test_every_call_of_a_client_shows_its_key(listener: Listener, base_port: int) -> None:
    with Client(Targets.at(base_port=base_port), api_key="lsk_a_b") as client:
        for call in (
            lambda: client.track("ada", "page_view"),
            lambda: client.lead("ada"),
            lambda: next(client.history("ada")),
            lambda: next(client.watch()),
        ):
            with pytest.raises(LeadscoreError):
                call()
        batch = client.batch()
        batch.track("ada", "page_view")
        with pytest.raises(LeadscoreError):
            batch.close()
    calls = ("IngestEvent", "GetLeadIntelligence", "ListScoreHistory", "WatchLeads", "BatchIngestEvents")
    assert listener.seen == [(name, "Bearer lsk_a_b") for name in calls]


async def test_every_call_of_an_async_client_shows_its_key(listener: Listener, base_port: int) -> None:
    async with AsyncClient(Targets.at(base_port=base_port), api_key="lsk_a_b") as client:
        with pytest.raises(LeadscoreError):
            await client.track("ada", "page_view")
        with pytest.raises(LeadscoreError):
            async for _ in client.watch():
                pass
    assert listener.seen == [("IngestEvent", "Bearer lsk_a_b"), ("WatchLeads", "Bearer lsk_a_b")]


@pytest.mark.parametrize("variable", ["LEADSCORE_API_KEY", "LEADSCORE_API_KEY_FILE"])
def test_a_client_and_a_command_take_the_key_from_the_environment(
    listener: Listener, base_port: int, variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "website.key"
    path.write_text("lsk_from_file\n")
    monkeypatch.setenv(variable, str(path) if variable.endswith("FILE") else "lsk_from_file")
    with Client(Targets.at(base_port=base_port)) as client, pytest.raises(LeadscoreError):
        client.track("ada", "page_view")
    CliRunner().invoke(app, ["history", "ada", "--base-port", str(base_port)])
    assert {authorization for _, authorization in listener.seen} == {"Bearer lsk_from_file"}
    assert len(listener.seen) >= 2


def test_a_command_takes_the_key_of_a_system_that_was_started_here(
    listener: Listener, base_port: int, tmp_path: Path
) -> None:
    (tmp_path / ".leadscore/keys").mkdir(parents=True)
    (tmp_path / ".leadscore/keys/admin.key").write_text("lsk_admin\n")
    CliRunner().invoke(app, ["history", "ada", "--base-port", str(base_port)])
    assert {authorization for _, authorization in listener.seen} == {"Bearer lsk_admin"}


def test_without_a_key_calls_carry_none(listener: Listener, base_port: int) -> None:
    with Client(Targets.at(base_port=base_port)) as client, pytest.raises(LeadscoreError):
        client.track("ada", "page_view")
    assert listener.seen == [("IngestEvent", "")]


def test_a_key_file_that_is_missing_is_said(base_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_API_KEY_FILE", "missing.key")
    result = CliRunner().invoke(app, ["history", "ada", "--base-port", str(base_port)])
    assert isinstance(result.exception, CommandError)
    assert "missing.key" in str(result.exception)
