"""Failed handshakes are logged with their reason, each reason once a minute."""

import asyncio
import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from cli.local.embedded import free_port
from shared.rpc.handshake_log import REPORT_SECONDS, Tally, other_lines
from testkit.certificates import Authority
from testkit.waiting import eventually
from tests.shared.rpc.secure import ask, handshake

COMMAND = [sys.executable, "-m", "tests.shared.rpc.secure_server", "serve"]
PLAIN = "the other side speaks plain text, not TLS"
UNKNOWN = "the certificate of the other side is not valid: unable to get local issuer certificate"
EXPIRED = "the certificate of the other side is not valid: certificate has expired"
NONE = "the client shows no certificate"


def of_grpc(reason: str) -> bytes:
    """Returns what grpc writes about a failed handshake."""
    return (
        b"I1128 03:24:01.302265   16927 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL: "
        b"error:100000f7:SSL routines:OPENSSL_internal:" + reason.encode() + b"\n"
    )


def condensed(*lines: bytes) -> tuple[list[bytes], list[EventDict]]:
    """Returns the lines that remain, and what was logged."""
    with capture_logs() as logged:
        return list(other_lines(lines, Tally())), logged


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("WRONG_VERSION_NUMBER: Invalid certificate verification context", PLAIN),
        ("HTTP_REQUEST: Invalid certificate verification context", PLAIN),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE: Invalid certificate verification context", NONE),
        ("CERTIFICATE_VERIFY_FAILED: certificate has expired", EXPIRED),
        ("TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_UNKNOWN_CA"),
    ],
)
def test_a_failed_handshake_becomes_a_line_with_its_reason(code: str, reason: str) -> None:
    remaining, [line] = condensed(of_grpc(code))
    assert (remaining, line["event"], line["reason"], line["count"]) == ([], "TLS handshake failed", reason, 1)


def test_each_reason_is_logged_once_a_minute_with_its_count(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, now = [of_grpc("WRONG_VERSION_NUMBER"), of_grpc("CERTIFICATE_VERIFY_FAILED: self-signed")], 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tally = Tally()
    with capture_logs() as logged:
        assert not list(other_lines(lines * 10, tally))
        assert [line["count"] for line in logged] == [1, 1]
        now += REPORT_SECONDS
        assert not list(other_lines(lines[:1], tally))
    assert [line["count"] for line in logged] == [1, 1, 10]


def test_what_others_write_remains() -> None:
    others = [b'{"event": "scored"}\n', b"Fatal Python error: Aborted\n", b"E1128 server.cc:155] Failed to bind\n"]
    assert condensed(of_grpc("HTTP_REQUEST"), *others)[0] == others


class Server:
    """A server in a process of its own, which requires client certificates."""

    def __init__(self, authority: Authority, log: Path, processes: int) -> None:
        self.port = free_port()
        self.processes = processes
        self._log = log
        files = {**authority.issue("server"), **authority.trusted(), "LEADSCORE_TLS_CLIENTS": "required"}
        environment = os.environ | files | {"LEADSCORE_PORT": str(self.port), "LEADSCORE_PROCESSES": str(processes)}
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(COMMAND, env=environment, stderr=stderr)

    def lines(self, event: str) -> list[dict[str, object]]:
        """Returns the log lines of an event; every line must be JSON."""
        found = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [line for line in found if line["event"] == event]

    async def serves(self) -> bool:
        """Returns whether it serves."""
        assert self.process.poll() is None, self._log.read_text()
        return bool(self.lines("serving"))

    def reasons(self) -> list[object]:
        """Returns the reasons that it has logged."""
        return [line["reason"] for line in self.lines("TLS handshake failed")]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(params=[1, 2])
def server(authority: Authority, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    started = Server(authority, tmp_path / "log", request.param)
    yield started
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(60) == 0


async def test_a_server_says_why_clients_cannot_connect(server: Server, authority: Authority, tmp_path: Path) -> None:
    await eventually(server.serves, what="a server")
    address = f"127.0.0.1:{server.port}"
    stranger = Authority(tmp_path / "stranger")
    trusting = ssl.create_default_context(cafile=str(authority.file))
    unknown = ssl.create_default_context(cafile=str(authority.file))
    pair = stranger.issue("client")
    unknown.load_cert_chain(pair["LEADSCORE_TLS_CERT_FILE"], pair["LEADSCORE_TLS_KEY_FILE"])
    expired = ssl.create_default_context(cafile=str(authority.file))
    pair = authority.issue("expired", expired=True)
    expired.load_cert_chain(pair["LEADSCORE_TLS_CERT_FILE"], pair["LEADSCORE_TLS_KEY_FILE"])
    for _ in range(3):
        await plain_text(address)
        for context in (trusting, unknown, expired):
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                await handshake(address, context)

    async def all_are_logged() -> bool:
        return set(server.reasons()) == {PLAIN, NONE, UNKNOWN, EXPIRED}

    await eventually(all_are_logged, what="a line for each reason")
    assert len(server.reasons()) <= 4 * server.processes, "expected one line for each reason and process"


async def plain_text(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        with contextlib.suppress(grpc.aio.AioRpcError, TimeoutError):
            async with asyncio.timeout(5):
                await ask(channel)
