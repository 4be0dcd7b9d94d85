"""Connections over TLS."""

import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc

_TRUE = ("1", "on", "t", "true", "y", "yes")


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust, and who this client is. Every file is PEM, and is read when a client is made.

    Args:
        ca_file: Certificates of the authorities that sign those of the servers. By default, those of the system.
        cert_file: A certificate for servers that require one, and those of its issuers.
        key_file: The private key of that certificate.
        server_name: The name that the certificates of the servers must have, instead of the host of the address.
    """

    ca_file: str | os.PathLike[str] = ""
    cert_file: str | os.PathLike[str] = ""
    key_file: str | os.PathLike[str] = ""
    server_name: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self | None:
        """Returns what the environment says, or None if connections do not use TLS.

        They do if `LEADSCORE_TLS` is true or `LEADSCORE_TLS_CA_FILE` is set. `LEADSCORE_TLS_CERT_FILE`,
        `LEADSCORE_TLS_KEY_FILE` and `LEADSCORE_TLS_SERVER_NAME` are the other values.
        """
        names = ("CA_FILE", "CERT_FILE", "KEY_FILE", "SERVER_NAME")
        values = [environment.get(f"LEADSCORE_TLS_{name}", "") for name in names]
        is_on = environment.get("LEADSCORE_TLS", "").lower() in _TRUE or values[0]
        return cls(*values) if is_on else None

    def credentials(self) -> grpc.ChannelCredentials:
        """Returns the credentials of a channel.

        Raises:
            OSError: A file cannot be read.
        """
        authorities = self.ca_file or ssl.get_default_verify_paths().cafile
        return grpc.ssl_channel_credentials(*map(_content, (authorities, self.key_file, self.cert_file)))


def open_channel(target: str, tls: Tls | None, options: Iterable[tuple[str, Any]] = ()) -> grpc.Channel:
    """Opens a channel for threads, over TLS unless `tls` is None."""
    if tls is None:
        return grpc.insecure_channel(target, options=tuple(options))
    return grpc.secure_channel(target, tls.credentials(), options=_named(tls, options))


def open_async_channel(target: str, tls: Tls | None, options: Iterable[tuple[str, Any]] = ()) -> grpc.aio.Channel:
    """Opens a channel for asyncio, over TLS unless `tls` is None."""
    if tls is None:
        return grpc.aio.insecure_channel(target, options=tuple(options))
    return grpc.aio.secure_channel(target, tls.credentials(), options=_named(tls, options))


def _named(tls: Tls, options: Iterable[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    return (*options, *((("grpc.ssl_target_name_override", tls.server_name),) if tls.server_name else ()))


def _content(path: str | os.PathLike[str] | None) -> bytes | None:
    return Path(path).read_bytes() if path else None
