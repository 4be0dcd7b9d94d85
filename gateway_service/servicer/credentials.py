"""The credentials of a request, as they are forwarded to the ingest service, which decides whether they are valid."""

import base64
import binascii

import grpc

from gateway_service.servicer.refusals import Refused, reason
from shared.access.errors import Unauthenticated

MAX_CHARACTERS = 4_096
"""Longest key or token; metadata of gRPC must be shorter than 8 KiB."""

_BEARER = "Bearer"


def bearer(header: str | None, write_key: str | None = None) -> str | None:
    """Returns the value of the `authorization` of calls, or None for a request without credentials.

    Args:
        header: The header `Authorization`: a bearer token, or a key as the user name of basic authentication.
        write_key: The key in the body, which is taken if there is no header.

    Raises:
        Refused: The header is neither, or the key cannot be one.
    """
    key = write_key if header is None else _key(header)
    if key is None:
        return None
    if not (0 < len(key) <= MAX_CHARACTERS and key.isascii() and key.isprintable()):
        raise unauthenticated()
    return f"{_BEARER} {key}"


def unauthenticated() -> Refused:
    """Returns the refusal of a request whose credentials cannot be valid, as the ingest service words it."""
    headers = {"www-authenticate": f"{_BEARER}, Basic"}
    return Refused(grpc.StatusCode.UNAUTHENTICATED, str(Unauthenticated()), reason("CALLER_UNKNOWN"), headers=headers)


def _key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == _BEARER.lower():
        return value.strip()
    if scheme.lower() != "basic":
        raise unauthenticated()
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise unauthenticated() from None
    return user or password
