"""Checks of certificates: those in the files that settings name, and those that servers show."""

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from leadscore.client import Tls

from cli.doctor.surroundings import Surroundings
from cli.terminal.connection import SERVICES
from cli.terminal.findings import Finding, Level
from shared import wire

SOON = timedelta(days=14)
ANSWER_SECONDS = 3.0
FILES = ("LEADSCORE_TLS_CERT_FILE", "LEADSCORE_TLS_CA_FILE", "LEADSCORE_HTTP_CLIENT_CERT_FILE")


def files(surroundings: Surroundings) -> Iterator[Finding]:
    """Yields until when the certificates in files are valid: of each file, the one that expires first."""
    for variable in FILES:
        if path := surroundings.environment.get(variable):
            yield _in_file(variable, Path(path))


def shown(surroundings: Surroundings) -> Iterator[Finding]:
    """Yields until when the certificates are valid that servers show, if this environment serves or calls over TLS."""
    environment = surroundings.environment
    if not (environment.get("LEADSCORE_TLS_CERT_FILE") or Tls.from_environment(environment)):
        return
    for service in SERVICES:
        target = surroundings.connection.address(service)
        certificate = _shown_at(target)
        if certificate is not None:
            advice = f"the {service} server reads its files again when they change: see its log"
            yield _judged(f"the certificate that {service} shows", certificate.not_valid_after_utc, advice)


def _in_file(variable: str, path: Path) -> Finding:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        text = f"{variable}: {path} cannot be read as certificates: {error}"
        return Finding(Level.CRITICAL, "certificates", text, "give the path of a PEM file that this user may read")
    advice = "renew it; servers read the file again when it changes"
    return _judged(f"{variable}: {path}", min(each.not_valid_after_utc for each in found), advice)


def _judged(what: str, end: datetime, advice: str) -> Finding:
    left = end - wire.now()
    if left <= timedelta(0):
        return Finding(Level.CRITICAL, "certificates", f"{what} has expired on {end:%Y-%m-%d %H:%M} UTC", advice)
    if left < SOON:
        return Finding(Level.WARNING, "certificates", f"{what} expires in {left.days} days", advice)
    return Finding(Level.OK, "certificates", f"{what} is valid until {end:%Y-%m-%d}")


def _shown_at(target: str) -> x509.Certificate | None:
    """Returns the certificate of a server; None if it does not answer with one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is looked at, not trusted
    host, _, port = target.rpartition(":")
    try:
        with (
            socket.create_connection((host, int(port)), ANSWER_SECONDS) as plain,
            context.wrap_socket(plain) as encrypted,
        ):
            return x509.load_der_x509_certificate(encrypted.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError):
        return None
