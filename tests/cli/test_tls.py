"""`leadscore` over TLS, by an option or the environment, and what it says when it cannot connect."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from shared.rpc.names import worker_name
from testkit.certificates import Authority
from tests.cli.servicer import Run, serving


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def run(authority: Authority) -> Iterator[Run]:
    """The command line, with services that serve TLS."""
    pair = authority.issue("server")
    key, chain = (Path(pair[f"LEADSCORE_TLS_{name}_FILE"]).read_bytes() for name in ("KEY", "CERT"))
    credentials = grpc.ssl_server_credentials([(key, chain)])
    with serving(worker=worker_name("scoring"), credentials=credentials) as (_, run):
        yield run


@pytest.fixture
def trusting(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_TLS_CA_FILE", str(authority.file))


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("command", ["status", "top"])
def test_an_authority_is_enough(run: Run, command: str) -> None:
    found = run(command)
    assert found.exit_code == 0, found.output


def test_the_option_trusts_the_authorities_of_the_system(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_TLS", "false")
    found = run("--tls", "top")
    assert found.exit_code == 1
    assert "the certificate of the server is not valid: unable to get local issuer certificate" in str(found.exception)


def test_plain_text_at_a_server_with_tls(run: Run) -> None:
    found = run("top")
    assert "cannot be called: the server speaks TLS, not plain text; see LEADSCORE_TLS_" in str(found.exception)


@pytest.mark.usefixtures("trusting")
def test_tls_at_a_server_with_plain_text() -> None:
    with serving() as (_, run):
        found = run("top")
    assert "cannot be called: the server speaks plain text, not TLS" in str(found.exception)


def test_a_file_that_does_not_exist(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_TLS_CA_FILE", "/nowhere.pem")
    assert "a certificate cannot be read: [Errno 2]" in str(run("top").exception)
