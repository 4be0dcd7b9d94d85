"""The URI of MongoDB, and what is said about the servers that it names if they cannot be used.

Guarantee: no text contains a password.
"""

import re
from collections.abc import Sequence
from typing import Any

from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from shared.settings import StartupError

_READS_ELSEWHERE = (
    "LEADSCORE_MONGO_URI: remove readPreference: writes and decisions depend on reads from the primary; "
    "LEADSCORE_STALE_READS says where the others go"
)
_UNREADABLE = (
    "LEADSCORE_MONGO_URI: is not a MongoDB URI: percent-encode the user and the password, and check the options "
    "and, with mongodb+srv, the DNS records"
)
_REMEDY = "start it or set LEADSCORE_MONGO_URI; run migrate if it is new"
_TLS_ERROR = re.compile(r"\[SSL: \w+\] (.+?) \(_ssl")
_IMPLIED_BY_TLS_INSECURE = {"tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames", "tlsDisableOCSPEndpointCheck"}


def parse(uri: str) -> dict[str, Any]:
    """Returns the parts of a URI, as the driver names them.

    Raises:
        StartupError: It is malformed, it has a read preference other than primary, or an option names a file that
            cannot be read.
    """
    try:
        parsed = dict(parse_uri(uri))
    except OSError as error:
        raise StartupError(f"LEADSCORE_MONGO_URI: {error}") from None  # a file named by an option
    except (PyMongoError, ValueError):
        raise StartupError(_UNREADABLE) from None  # without the error: it may quote a part of the password
    if uri.count("@") > (parsed["username"] is not None):
        # An unescaped @: the parser takes a part of the password for the host, and errors would show it.
        raise StartupError(_UNREADABLE)
    if parsed["options"].get("readPreference", "primary") != "primary":
        raise StartupError(_READS_ELSEWHERE)
    return parsed


def hosts(parsed: dict[str, Any]) -> list[str]:
    """Returns the addresses of the servers."""
    return [f"{host}:{port}" for host, port in parsed["nodelist"]]


def member_options(parsed: dict[str, Any]) -> dict[str, Any]:
    """Returns the options with which a client of a single member encrypts and logs in as one of the URI does."""
    options = {name: value for name, value in parsed["options"].items() if name.startswith(("tls", "auth"))}
    if "tlsInsecure" in options:  # the parser adds the implied options, which the client refuses next to it
        options = {name: options[name] for name in options if name not in _IMPLIED_BY_TLS_INSECURE}
    if parsed["username"] is None:
        return options
    source = {"authSource": parsed["database"] or "admin"}
    return source | options | {"username": parsed["username"], "password": parsed["password"]}


def no_primary_at(addresses: Sequence[str], client: MongoClient[Any] | AsyncMongoClient[Any]) -> str:
    """Returns the sentence about a replica set of which a client has not found the primary, and why, if it knows."""
    servers = client.topology_description.server_descriptions().values()
    reasons = filter(None, (_refused_by_tls(server.error) for server in servers))
    return f"no MongoDB primary answers at {','.join(addresses)}: {next(reasons, _REMEDY)}"


def no_replica_set(addresses: Sequence[str]) -> str:
    """Returns the sentence about a server that does not belong to a replica set."""
    return f"MongoDB at {','.join(addresses)} is not a replica set: start mongod with --replSet rs0, then run migrate"


def text_of(error: PyMongoError) -> str:
    """Returns the server's own sentence, if there is one: the driver adds the whole reply to it."""
    details = error.details if isinstance(error, OperationFailure) else None
    return str((details or {}).get("errmsg") or error)


def _refused_by_tls(error: Exception | None) -> str:
    """Returns why a handshake failed; empty if an error has another cause. The driver keeps only the text of it."""
    found = _TLS_ERROR.search(str(error))
    if found is None:
        return ""
    reason = found[1]
    invalid = reason.removeprefix("certificate verify failed: ").rstrip(".")
    if invalid != reason:
        return f"the certificate of the server is not valid: {invalid}"
    return f"the server and this process do not agree on TLS: {reason}"
