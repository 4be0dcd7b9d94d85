"""Finds out who makes a call.

Guarantee: nothing here waits or reads the database, and an unknown key costs no more than a known one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from shared.access.callers import Caller
from shared.access.errors import Unauthenticated
from shared.access.keys import PREFIX
from shared.access.refusals import Refusals
from shared.access.ring import KeyRing
from shared.access.roles import Role


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
        self._refusals = Refusals()

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

    async def hold(self, size: int, seconds_left: float | None) -> None:
        """Waits before a refused call is answered; see `Refusals`."""
        await self._refusals.hold(size, seconds_left)

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
