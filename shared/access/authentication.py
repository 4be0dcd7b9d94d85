"""Finds out who makes a call.

Guarantee: nothing here waits or reads the database, and an unknown key costs no more than a known one.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from shared import logs
from shared.access.audit import address_of
from shared.access.callers import Caller
from shared.access.errors import Unauthenticated
from shared.access.keys import PREFIX
from shared.access.ring import KeyRing
from shared.access.roles import Role

REPORT_SECONDS = 60.0
"""Interval of the log lines about calls without a valid key."""

_LOG = logs.get(__name__)


class Call(Protocol):
    """What we use of a call's context in gRPC."""

    def invocation_metadata(self) -> Any: ...  # noqa: ANN401, D102
    def auth_context(self) -> Mapping[str, Iterable[bytes]]: ...  # noqa: D102
    def peer(self) -> str: ...  # noqa: D102


class Tokens(Protocol):
    """Verifies bearer tokens that are not keys."""

    def verify(self, token: str) -> Caller | None:
        """Returns whose token it is; None if it is not a valid one. Does no I/O and never raises."""


class Authentication:
    """Finds out who a caller is: by `authorization: Bearer <key or token>`, else by a client certificate."""

    def __init__(self, ring: KeyRing, services: Iterable[str] = (), tokens: Tokens | None = None) -> None:
        self._ring = ring
        self._services = frozenset(services)
        self._tokens = tokens
        self._refusals = _Refusals()

    def caller(self, call: Call) -> Caller:
        """Returns the caller.

        Raises:
            Unauthenticated: There is no valid key, token or certificate.
        """
        text = _bearer(call)
        if text is None:
            caller = self._service(call)
        elif self._tokens is None or text.startswith(PREFIX):
            caller = self._ring.caller(text)
        else:
            caller = self._tokens.verify(text)
        if caller is None:
            self._refusals.count(call)
            raise Unauthenticated
        return caller

    def check(self, caller: Caller) -> None:
        """Checks that the caller of a long call may go on.

        Raises:
            Unauthenticated: The key has expired or been revoked since.
        """
        if not self._ring.is_live(caller):
            raise Unauthenticated

    def _service(self, call: Call) -> Caller | None:
        """Returns the caller whose verified certificate has the name of one of our services, if there is one."""
        if self._services:
            for name in call.auth_context().get("x509_subject_alternative_name", ()):
                if name.decode(errors="replace") in self._services:
                    return Caller(name.decode(), frozenset({Role.SERVICE}))
        return None


def _bearer(call: Call) -> str | None:
    for name, value in call.invocation_metadata():
        if name == "authorization":
            scheme, _, text = value.partition(" ")
            return text if scheme.lower() == "bearer" else ""
    return None


class _Refusals:
    """Counts the callers that have not shown who they are: one log line at once, and then one a minute at most."""

    def __init__(self) -> None:
        self._count = 0
        self._peer = ""
        self._is_waiting = False

    def count(self, call: Call) -> None:
        self._count += 1
        self._peer = call.peer()
        if not self._is_waiting:
            self._report()

    def _report(self) -> None:
        self._is_waiting = self._count > 0
        if self._is_waiting:
            _LOG.warning("calls without a valid API key refused", count=self._count, address=address_of(self._peer))
            self._count = 0
            asyncio.get_running_loop().call_later(REPORT_SECONDS, self._report)
