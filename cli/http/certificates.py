"""The files of certificates, which Envoy reads again whenever a file is renamed into their directory."""

import json
from pathlib import Path

import certifi

from cli.http.paths import Json
from cli.http.settings import HttpSettings

SERVER, CLIENT, AUTHORITIES = "server", "client", "authorities"
"""What Envoy shows to callers, what it shows to the services, and who it believes in when these show theirs."""
_SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 (a type)


def source(directory: Path, name: str) -> Json:
    """Returns where Envoy finds a certificate: in a file of this directory, which names the certificate's files."""
    return {"name": name, "sds_config": {"path_config_source": {"path": str(directory / f"{name}.json")}}}


def write(settings: HttpSettings, directory: Path) -> None:
    """Writes the files that `source` refers to."""
    authorities = settings.tls_ca_file or certifi.where()
    _write(directory, AUTHORITIES, {"validation_context": {"trusted_ca": _file(authorities), **_watched(authorities)}})
    if settings.serves_tls:
        _write(directory, SERVER, _pair(settings.tls_cert_file, settings.tls_key_file))
    if settings.http_client_cert_file:
        _write(directory, CLIENT, _pair(settings.http_client_cert_file, settings.http_client_key_file))


def _write(directory: Path, name: str, content: Json) -> None:
    (directory / f"{name}.json").write_text(json.dumps({"resources": [{"@type": _SECRET, "name": name, **content}]}))


def _pair(certificate: str, key: str) -> Json:
    pair: Json = {"certificate_chain": _file(certificate), "private_key": _file(key)}
    # Without this, Envoy watches for the names of the two files only. Kubernetes renames a link to their directory.
    together = Path(certificate).absolute().parent == Path(key).absolute().parent
    return {"tls_certificate": pair | _watched(certificate) if together else pair}


def _watched(file: str) -> Json:
    return {"watched_directory": {"path": str(Path(file).absolute().parent)}}


def _file(name: str) -> Json:
    return {"filename": str(Path(name).absolute())}
