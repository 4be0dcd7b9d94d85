"""Log lines about handshakes that fail, on either side of a connection.

Guarantee: after `begin`, each reason is logged when it first occurs, and then at most once in `REPORT_SECONDS`, with
the number of times. What else is written to standard error appears there unchanged.

grpc writes a line of its own for each failed handshake to file descriptor 2, where anybody who can reach a port could
fill the log. So the process reads its own descriptor 2, and writes to a copy of it.
"""

import os
import re
import sys
import threading
import time
from collections.abc import Iterable

from shared import logs

REPORT_SECONDS = 60.0
"""Shortest time between two lines about one reason."""

_LOG = logs.get(__name__)
_FAILURE = re.compile(
    rb"ssl_transport_security\.cc:\d+\] Handshake failed with error .*OPENSSL_internal:(?P<code>\w+)(: (?P<detail>.*))?"
)
_REASONS = {
    "WRONG_VERSION_NUMBER": "the other side speaks plain text, not TLS",
    "HTTP_REQUEST": "the other side speaks plain text, not TLS",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client shows no certificate",
    "UNSUPPORTED_PROTOCOL": "there is no common version of TLS",
    "NO_SHARED_CIPHER": "there is no common cipher",
}


def begin() -> None:
    """Condenses what grpc writes about handshakes from now on; call it before logging is set up."""
    stderr = os.dup(2)
    sys.stderr = os.fdopen(stderr, "w", buffering=1, errors="backslashreplace")
    _redirect(stderr)
    os.register_at_fork(after_in_child=lambda: _redirect(stderr))  # threads do not survive a fork


def _redirect(stderr: int) -> None:
    readable, writable = os.pipe()
    os.set_blocking(writable, False)  # grpc must never wait for the thread that reads
    os.dup2(writable, 2)
    os.close(writable)
    threading.Thread(target=_read, args=(readable, stderr), name="handshakes", daemon=True).start()


def _read(readable: int, stderr: int) -> None:
    with os.fdopen(readable, "rb") as lines:
        for line in other_lines(lines, Tally()):
            os.write(stderr, line)


class Tally:
    """How often each reason has occurred since its last line."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._next: dict[str, float] = {}

    def add(self, reason: str) -> None:
        """Counts a failed handshake, and logs it if the reason has not been logged for a while."""
        self._counts[reason] = self._counts.get(reason, 0) + 1
        if time.monotonic() >= self._next.get(reason, 0.0):
            self._next[reason] = time.monotonic() + REPORT_SECONDS
            _LOG.warning("TLS handshake failed", reason=reason, count=self._counts.pop(reason))


def other_lines(lines: Iterable[bytes], tally: Tally) -> Iterable[bytes]:
    """Adds failed handshakes to a tally, and yields all other lines."""
    for line in lines:
        found = _FAILURE.search(line)
        if found:
            tally.add(_reason(found["code"].decode(), (found["detail"] or b"").decode(errors="replace")))
        else:
            yield line


def _reason(code: str, detail: str) -> str:
    if code == "CERTIFICATE_VERIFY_FAILED":
        return f"the certificate of the other side is not valid: {detail}"
    return _REASONS.get(code, code)
