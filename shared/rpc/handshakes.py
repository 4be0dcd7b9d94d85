"""Why a connection over TLS, or one that should be, does not come about.

grpc says no more than that a certificate could not be verified. Python's own TLS says what is wrong with it, so we let
it connect once more.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable

ATTEMPT_SECONDS = 2.0
"""Longest time to connect, and to wait for what the server says after the handshake."""
RECEIVED_BYTES = 16_384
"""Bytes that are received at a time."""

_CLOSED = "the server requires a client certificate, of an authority that it trusts"
_PLAIN_TEXT = "the server speaks plain text, not TLS"


def flaw(target: str, context: ssl.SSLContext | None, server_name: str = "") -> str:
    """Returns why connections to a server, `host:port`, fail; empty if it cannot be reached or nothing is wrong.

    Without a context, connections are meant to be plain text. It takes up to `ATTEMPT_SECONDS` twice.
    """
    if context is None:
        speaks_tls = _fails(target, _unverified(), "") in ("", _CLOSED)
        return "the server speaks TLS, not plain text" if speaks_tls else ""
    return _fails(target, context, server_name) or ""


def context_of(ca_file: str, cert_file: str, key_file: str) -> ssl.SSLContext:
    """Returns what the channels of a caller with these files do, for Python's own TLS.

    Raises:
        OSError: A file cannot be used.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    context.set_alpn_protocols(["h2"])
    if cert_file:
        context.load_cert_chain(cert_file, key_file)
    return context


def _fails(target: str, context: ssl.SSLContext, server_name: str) -> str | None:
    """Returns why a handshake fails; empty if it succeeds, None if there is no connection at all."""
    host, _, port = target.rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), ATTEMPT_SECONDS) as plain:
            return _refusal(plain, context, server_name or host)
    except (OSError, ValueError):
        return None


def _refusal(plain: socket.socket, context: ssl.SSLContext, name: str) -> str:
    # Not by `wrap_socket`: it loses the socket without closing it if the server has reset the connection already.
    connection = _Connection(plain, context, name)
    try:
        connection.step(connection.tls.do_handshake)
    except ssl.SSLCertVerificationError as error:
        return f"the certificate of the server is not valid: {error.verify_message}"
    except ssl.SSLError as error:
        return _PLAIN_TEXT if error.reason == "WRONG_VERSION_NUMBER" else f"TLS: {error.reason}"
    try:
        with contextlib.suppress(TimeoutError):
            # With TLS 1.3, a server looks at the certificate of the client after the handshake, and gRPC just closes.
            connection.step(lambda: connection.tls.read(1))
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return _CLOSED
    except ssl.SSLError as error:
        return f"TLS: {error.reason}"
    return ""


class _Connection:
    """TLS over a socket that stays ours."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, name: str) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def step(self, action: Callable[[], object]) -> None:
        """Does something with the connection, and sends and receives what it takes."""
        while True:
            try:
                action()
            except ssl.SSLWantReadError:
                self._plain.sendall(self._outgoing.read())
                data = self._plain.recv(RECEIVED_BYTES)
                self._incoming.write(data) if data else self._incoming.write_eof()
            else:
                self._plain.sendall(self._outgoing.read())
                return


def _unverified() -> ssl.SSLContext:
    """Returns a context for a look at whether there is TLS at all; nothing is sent over it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context
