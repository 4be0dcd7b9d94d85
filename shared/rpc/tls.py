"""TLS of servers and callers: certificates from files, which are read again when they change.

Guarantee: new connections use what the files contain within `CHECK_SECONDS`. Files that cannot be used end a process
that starts; later they are logged once, and what was read before stays in use.
"""

import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared import logs
from shared.metrics.process import CERTIFICATE_EXPIRY
from shared.settings import StartupError, TlsSettings

CHECK_SECONDS = 1.0
"""Shortest time between two looks at the files."""

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the files of a process contain, in PEM; empty without a file. `expiry` is that of its own certificate."""

    chain: bytes
    key: bytes
    authorities: bytes
    expiry: datetime | None

    def of_a_caller(self) -> grpc.ChannelCredentials:
        """Returns the credentials of a channel."""
        return grpc.ssl_channel_credentials(self.authorities or None, self.key or None, self.chain or None)

    def of_a_server(self) -> grpc.ServerCertificateConfiguration:
        """Returns what a server shows, and what it checks client certificates with."""
        return grpc.ssl_server_certificate_configuration([(self.key, self.chain)], self.authorities or None)


class CertificateFiles:
    """The certificate files that settings name. Threads may share it.

    Raises:
        StartupError: A file cannot be read, or its content cannot be used; the text names the setting.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._next_look = time.monotonic() + CHECK_SECONDS
        self._versions = self._look()
        self._current = _read(settings)
        if settings.tls_cert_file:
            CERTIFICATE_EXPIRY.labels(settings.tls_cert_file).set_function(self._expiry)

    def current(self) -> Certificates:
        """Returns what the files contain; the same object until they have changed."""
        if time.monotonic() >= self._next_look:
            with self._lock:
                self._next_look = time.monotonic() + CHECK_SECONDS
                self._renew()
        return self._current

    def _expiry(self) -> float:
        """Returns when the certificate expires that the file contains now, as a Unix time; 0 if it has none."""
        expiry = self.current().expiry
        return expiry.timestamp() if expiry else 0.0

    def _renew(self) -> None:
        versions = self._look()
        if versions == self._versions:
            return
        self._versions = versions
        try:
            self._current = _read(self._settings)
        except StartupError as error:
            _LOG.error("certificates not replaced", error=str(error))

    def _look(self) -> list[tuple[int, int, int] | None]:
        """Returns what changes when a file does, also when a link, such as those of Kubernetes, leads elsewhere."""
        return [_version(path) for path in _paths(self._settings) if path]


def server_credentials(settings: TlsSettings) -> grpc.ServerCredentials | None:
    """Returns the credentials of a server, or None if it serves no TLS.

    Each new connection gets the certificates that the files contain.

    Raises:
        StartupError: A file cannot be used.
    """
    if not settings.serves_tls:
        return None
    files = CertificateFiles(settings)
    used = files.current()

    def newer() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        found = files.current()
        if found is used:
            return None
        used = found
        return found.of_a_server()

    return grpc.dynamic_ssl_server_credentials(
        used.of_a_server(),
        newer,  # type: ignore[arg-type]  # None means no change
        require_client_authentication=settings.tls_clients == "required",
    )


def _paths(settings: TlsSettings) -> tuple[str, str, str]:
    return settings.tls_cert_file, settings.tls_key_file, settings.tls_ca_file


def _version(path: str) -> tuple[int, int, int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _read(settings: TlsSettings) -> Certificates:
    """Reads and checks the files; `StartupError` says what is wrong with them."""
    chain, key = _content("CERT", settings.tls_cert_file), _content("KEY", settings.tls_key_file)
    authorities = _content("CA", settings.tls_ca_file)
    if settings.tls_ca_file:
        _check_authorities(authorities)
    elif settings.calls_over_tls:
        authorities = _content("CA", ssl.get_default_verify_paths().cafile or "")
    expiry = _check_pair(chain, key) if settings.tls_cert_file else None
    return Certificates(chain, key, authorities, expiry)


def _content(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes() if path else b""
    except OSError as error:
        raise _unusable(name, f"{path}: {error.strerror}") from None


def _check_authorities(pem: bytes) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode())
    except (ssl.SSLError, ValueError):
        raise _unusable("CA", "contains no certificate in PEM") from None


def _check_pair(chain: bytes, key: bytes) -> datetime:
    """Checks a certificate and its key, and returns when the certificate expires."""
    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
    except ValueError:
        raise _unusable("CERT", "contains no certificate in PEM") from None
    try:
        public = load_pem_private_key(key, password=None).public_key()
    except TypeError:
        raise _unusable("KEY", "is encrypted: give a key without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable("KEY", "contains no private key in PEM") from None
    if public != certificate.public_key():
        raise _unusable("KEY", "is not the key of the certificate in LEADSCORE_TLS_CERT_FILE")
    now, ends = datetime.now(UTC), certificate.not_valid_after_utc
    if now > ends:
        raise _unusable("CERT", f"the certificate expired at {ends:%Y-%m-%d %H:%M} UTC")
    if now < certificate.not_valid_before_utc:
        raise _unusable("CERT", f"the certificate is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
    _LOG.info("certificate read", valid_until=f"{ends:%Y-%m-%d %H:%M}")
    return ends


def _unusable(name: str, reason: str) -> StartupError:
    return StartupError(f"LEADSCORE_TLS_{name}_FILE: {reason}")
