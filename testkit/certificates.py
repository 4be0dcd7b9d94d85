"""Certificates for tests: an authority, and what it issues, in files."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HERE = ("127.0.0.1", "localhost")
"""The names of servers in tests."""


class Authority:
    """A certificate authority. Its own certificate is in `file`."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._authority = trustme.CA()
        directory.mkdir(parents=True, exist_ok=True)
        self.file = directory / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.file)

    def issue(self, name: str, *hosts: str, expired: bool = False, days: int = 30) -> dict[str, str]:
        """Issues a certificate for some hosts, or replaces that of the same name; returns the settings that name it."""
        ends = datetime.now(UTC) + timedelta(days=-1 if expired else days)
        leaf = self._authority.issue_cert(*(hosts or HERE), not_before=ends - timedelta(days=60), not_after=ends)
        certificate, key = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        _replace(certificate, b"".join(each.bytes() for each in leaf.cert_chain_pems))
        _replace(key, leaf.private_key_pem.bytes())
        return {"LEADSCORE_TLS_CERT_FILE": str(certificate), "LEADSCORE_TLS_KEY_FILE": str(key)}

    def trusted(self) -> dict[str, str]:
        """Returns the settings of a process that trusts this authority."""
        return {"LEADSCORE_TLS_CA_FILE": str(self.file)}


def _replace(path: Path, content: bytes) -> None:
    """Writes a new file and gives it the name, so that it differs from the former one however soon it follows."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.replace(path)


def self_signed() -> tuple[bytes, bytes]:
    """Returns the key and the certificate, in PEM, of a server that no authority has signed."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    hosts = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(hosts, critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, certificate.public_bytes(serialization.Encoding.PEM)
