"""A caller says why it cannot connect over TLS."""

import asyncio
import gc
import select
import socket
import ssl
import struct
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from cli.local.embedded import free_port
from shared.rpc import handshakes
from shared.rpc.channels import connect
from testkit.certificates import Authority, self_signed
from testkit.waiting import eventually
from tests.shared.rpc.secure import ask, guarding, settings_of

NOTHING: dict[str, str] = {}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the servers, which are in this process, the time that they take on a busy machine."""
    monkeypatch.setattr(handshakes, "ATTEMPT_SECONDS", 30.0)


def expired(authority: Authority) -> tuple[bytes, bytes]:
    """Returns the key and the certificate of a server."""
    paths = authority.issue("expired", expired=True)
    return Path(paths["LEADSCORE_TLS_KEY_FILE"]).read_bytes(), Path(paths["LEADSCORE_TLS_CERT_FILE"]).read_bytes()


async def reason(address: str, *parts: dict[str, str]) -> str:
    """Returns why a caller with these settings cannot connect."""
    own = settings_of(*parts)
    context = None
    if own.calls_over_tls:
        context = handshakes.context_of(own.tls_ca_file, own.tls_cert_file, own.tls_key_file)
    return await asyncio.to_thread(handshakes.flaw, address, context, own.tls_server_name)


async def test_nothing_is_said_of_connections_that_work(authority: Authority) -> None:
    async with guarding(settings_of(authority.issue("server"))) as address:
        assert await reason(address, authority.trusted()) == ""
    async with guarding(settings_of()) as address:
        assert await reason(address) == ""


async def test_nothing_is_said_of_a_server_that_is_away(authority: Authority) -> None:
    for settings in (NOTHING, authority.trusted()):
        assert await reason(f"127.0.0.1:{free_port()}", settings) == ""


async def test_certificates_that_are_not_valid(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    found = []
    for settings in (stranger.issue("server"), authority.issue("other", "other.internal")):
        async with guarding(settings_of(settings)) as address:
            found.append(await reason(address, authority.trusted()))
    for pair in (expired(authority), self_signed()):
        async with guarding(settings_of(), pair=pair) as address:
            found.append(await reason(address, authority.trusted()))
    assert [each.removeprefix("the certificate of the server is not valid: ") for each in found] == [
        "unable to get local issuer certificate",
        "IP address mismatch, certificate is not valid for '127.0.0.1'.",
        "certificate has expired",
        "self-signed certificate",
    ]


async def test_plain_text_and_tls(authority: Authority) -> None:
    required = {**authority.issue("server"), **authority.trusted(), "LEADSCORE_TLS_CLIENTS": "required"}
    for settings in (authority.issue("server"), required):
        async with guarding(settings_of(settings)) as address:
            assert await reason(address) == "the server speaks TLS, not plain text"
    async with guarding(settings_of()) as address:
        assert await reason(address, authority.trusted()) == "the server speaks plain text, not TLS"


async def test_a_missing_client_certificate(authority: Authority) -> None:
    required = {**authority.issue("server"), **authority.trusted(), "LEADSCORE_TLS_CLIENTS": "required"}
    async with guarding(settings_of(required)) as address:
        assert (
            await reason(address, authority.trusted())
            == "the server requires a client certificate, of an authority that it trusts"
        )


async def test_an_unknown_client_certificate(authority: Authority, tmp_path: Path) -> None:
    required = {**authority.issue("server"), **authority.trusted(), "LEADSCORE_TLS_CLIENTS": "required"}
    theirs = Authority(tmp_path / "stranger").issue("client")
    async with guarding(settings_of(required)) as address:
        found = await reason(address, authority.trusted(), theirs)
    assert found == "the server requires a client certificate, of an authority that it trusts"


async def test_a_channel_logs_the_reason_once_a_minute(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")

    async def is_logged() -> bool:
        return bool(of_channels(lines))

    with capture_logs() as lines:
        async with (
            guarding(settings_of(stranger.issue("server"))) as address,
            connect(address, settings_of(authority.trusted())) as channel,
        ):
            for _ in range(3):
                with pytest.raises(grpc.aio.AioRpcError):
                    await ask(channel)
            await eventually(is_logged, what="a line")
    [line] = of_channels(lines)
    assert line["target"] == address
    assert "unable to get local issuer certificate" in line["reason"]


def of_channels(lines: list[EventDict]) -> list[EventDict]:
    return [line for line in lines if line["event"] == "service cannot be called"]


@pytest.mark.parametrize("context", [None, ssl.create_default_context()], ids=["plain text", "TLS"])
@pytest.mark.filterwarnings("error")
async def test_a_connection_that_is_reset_leaves_no_socket(
    context: ssl.SSLContext | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect_and_be_reset(*arguments: Any) -> socket.socket:
        plain = connect_really(*arguments)
        select.select([plain], [], [], 10)
        return plain

    connect_really = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", connect_and_be_reset)
    with socket.create_server(("127.0.0.1", 0)) as server:
        # Closing with unsent data for 0 seconds resets the connection.
        def reset() -> None:
            accepted, _ = server.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()

        resetting = asyncio.create_task(asyncio.to_thread(reset))
        address = f"127.0.0.1:{server.getsockname()[1]}"
        found = await asyncio.to_thread(handshakes.flaw, address, context)
        await resetting
    gc.collect()
    assert found == ""
