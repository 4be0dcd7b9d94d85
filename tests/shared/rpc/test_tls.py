"""Certificates come from files, are checked, and are read again when they change."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.metrics.process import CERTIFICATE_EXPIRY
from shared.rpc import tls
from shared.rpc.tls import CertificateFiles
from shared.settings import StartupError, TlsSettings, load
from testkit.certificates import Authority
from tests.shared.rpc.secure import settings_of


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the files at every use, and not once a second."""
    monkeypatch.setattr(tls, "CHECK_SECONDS", 0.0)


def test_the_files_are_read_as_they_are(authority: Authority) -> None:
    pair = authority.issue("server")
    found = CertificateFiles(settings_of(pair, authority.trusted())).current()
    assert found.chain == Path(pair["LEADSCORE_TLS_CERT_FILE"]).read_bytes()
    assert found.key == Path(pair["LEADSCORE_TLS_KEY_FILE"]).read_bytes()
    assert found.authorities == authority.file.read_bytes()


@pytest.mark.usefixtures("always_look")
def test_what_has_not_changed_is_not_read_again(authority: Authority) -> None:
    files = CertificateFiles(settings_of(authority.issue("server"), authority.trusted()))
    assert files.current() is files.current()


@pytest.mark.usefixtures("always_look")
def test_a_new_certificate_is_used(authority: Authority) -> None:
    pair = authority.issue("server")
    files = CertificateFiles(settings_of(pair))
    old = files.current()
    authority.issue("server")
    assert files.current().chain == Path(pair["LEADSCORE_TLS_CERT_FILE"]).read_bytes() != old.chain


@pytest.mark.usefixtures("always_look")
def test_the_metrics_show_when_the_certificate_in_the_file_expires(authority: Authority) -> None:
    for days in (30, 50):
        pair = authority.issue("server", days=days)
        if days == 30:
            CertificateFiles(settings_of(pair))
        shown = CERTIFICATE_EXPIRY.labels(pair["LEADSCORE_TLS_CERT_FILE"]).collect()
        left = datetime.fromtimestamp(next(iter(shown)).samples[0].value, UTC) - datetime.now(UTC)
        assert timedelta(days=days, hours=-1) < left <= timedelta(days=days), "expected no connection to be needed"


@pytest.mark.usefixtures("always_look")
@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nhalf"])
@pytest.mark.parametrize("setting", ["CERT", "KEY", "CA"])
def test_a_broken_new_file_keeps_the_old_one_and_is_logged_once(
    authority: Authority, setting: str, content: bytes
) -> None:
    settings = authority.issue("server") | authority.trusted()
    files = CertificateFiles(settings_of(settings))
    old = files.current()
    Path(settings[f"LEADSCORE_TLS_{setting}_FILE"]).write_bytes(content)
    with capture_logs() as lines:
        assert [files.current(), files.current()] == [old, old]
    [line] = lines
    assert line["event"] == "certificates not replaced"
    assert line["log_level"] == "error"
    assert line["error"].startswith(f"LEADSCORE_TLS_{setting}_FILE: contains no ")


@pytest.mark.usefixtures("always_look")
def test_a_file_that_is_deleted_keeps_the_old_one_until_it_is_back(authority: Authority) -> None:
    pair = authority.issue("server")
    files = CertificateFiles(settings_of(pair))
    old = files.current()
    Path(pair["LEADSCORE_TLS_KEY_FILE"]).unlink()
    with capture_logs() as lines:
        assert files.current() is old
    assert "No such file" in lines[0]["error"]
    authority.issue("server")
    assert files.current() is not old


def other_key(authority: Authority, pair: dict[str, str]) -> None:
    key = authority.issue("other")["LEADSCORE_TLS_KEY_FILE"]
    Path(pair["LEADSCORE_TLS_KEY_FILE"]).write_bytes(Path(key).read_bytes())


def expired(authority: Authority, pair: dict[str, str]) -> None:
    authority.issue("server", expired=True)


def encrypted(authority: Authority, pair: dict[str, str]) -> None:
    from cryptography.hazmat.primitives import serialization

    key = Path(pair["LEADSCORE_TLS_KEY_FILE"])
    plain = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


def missing(authority: Authority, pair: dict[str, str]) -> None:
    Path(pair["LEADSCORE_TLS_CERT_FILE"]).unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_key, "LEADSCORE_TLS_KEY_FILE: is not the key of the certificate"),
        (expired, "LEADSCORE_TLS_CERT_FILE: the certificate expired at 20"),
        (encrypted, "LEADSCORE_TLS_KEY_FILE: is encrypted"),
        (missing, "LEADSCORE_TLS_CERT_FILE: .*server.crt: No such file"),
    ],
)
def test_a_process_does_not_start_with_files_that_cannot_be_used(
    authority: Authority, spoil: Any, message: str
) -> None:
    pair = authority.issue("server")
    spoil(authority, pair)
    with pytest.raises(StartupError, match=f"^{message}"):
        CertificateFiles(settings_of(pair))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"TLS_CERT_FILE": "a.pem"}, "LEADSCORE_TLS_CERT_FILE and LEADSCORE_TLS_KEY_FILE are needed together"),
        ({"TLS_KEY_FILE": "a.pem"}, "LEADSCORE_TLS_CERT_FILE and LEADSCORE_TLS_KEY_FILE are needed together"),
        ({"TLS_CLIENTS": "required"}, "LEADSCORE_TLS_CLIENTS=required needs"),
        (
            {"TLS_CLIENTS": "required", "TLS_CERT_FILE": "a.pem", "TLS_KEY_FILE": "a.key"},
            "LEADSCORE_TLS_CLIENTS=required needs LEADSCORE_TLS_CERT_FILE and LEADSCORE_TLS_CA_FILE",
        ),
        ({"TLS_CLIENTS": "optional"}, "LEADSCORE_TLS_CLIENTS: "),
        ({"TLS_SERVICE_NAMES": "scoring"}, "LEADSCORE_TLS_SERVICE_NAMES needs LEADSCORE_TLS_CLIENTS=required"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"LEADSCORE_{name}", value)
    with pytest.raises(StartupError, match=f"^{message}"):
        load(TlsSettings)


@pytest.mark.parametrize(
    ("settings", "over_tls"), [({}, False), ({"tls": "true"}, True), ({"tls_ca_file": "authority.pem"}, True)]
)
def test_calls_use_tls_if_it_is_on_or_an_authority_is_named(settings: dict[str, str], over_tls: bool) -> None:
    assert settings_of(**settings).calls_over_tls is over_tls


def test_a_server_without_a_certificate_serves_no_tls() -> None:
    assert tls.server_credentials(settings_of()) is None
