"""Lets callers call what their roles allow, within the limits of their keys, and has changes audited.

Guarantee: with authentication on, no method runs for a caller without the role that the service's table names, and none
that is not in the table. Nothing here waits or reads the database, except for the rows of the audit log.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from shared.access import callers
from shared.access.audit import AuditLog
from shared.access.authentication import Authentication, Call
from shared.access.callers import Caller
from shared.access.errors import PermissionDenied
from shared.access.rates import Rates
from shared.access.ring import KeyRing
from shared.access.roles import Role, allows
from shared.mongo import Database
from shared.rpc.errors import ErrorTable
from shared.settings import ServerSettings
from shared.tasks import running

if TYPE_CHECKING:
    from shared.access.oidc import Tokens

Method: TypeAlias = Any
"""A method of a servicer."""
Subject: TypeAlias = "Callable[[Any], str]"
"""Returns what a request is about: the id of a rule, a lead, an event."""
Count: TypeAlias = "Callable[[Any], int]"
"""Returns the number of events in a request."""


@dataclass(frozen=True, slots=True)
class Methods:
    """What a service says about its methods, each table by the names of methods.

    `roles` has a row for every method, `audited` one for each by which a person decides something, and `events` one
    for each that sends events.
    """

    roles: Mapping[str, Role]
    audited: Mapping[str, Subject] = field(default_factory=dict)
    events: Mapping[str, Count] = field(default_factory=dict)


class Access:
    """Admits the calls of one service; without `authentication`, everybody may call everything."""

    def __init__(
        self,
        methods: Methods,
        authentication: Authentication | None = None,
        rates: Rates | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        self._methods = methods
        self._authentication = authentication
        self._rates = rates
        self._audit = audit

    def admit(self, method: str, call: Call) -> Caller | None:
        """Returns the caller of a method, and makes them the caller of the current call.

        Raises:
            Unauthenticated: The caller has not shown who they are.
            PermissionDenied: The caller lacks the role, or the method is not in the table.
        """
        if self._authentication is None:
            return None
        caller = self._authentication.caller(call)
        role = self._methods.roles.get(method)
        if role is None or not allows(caller.roles, role):
            raise PermissionDenied(method, role)
        callers.enter(caller)
        return caller

    async def hold(self, size: int, seconds_left: float | None) -> None:
        """Waits before a call without a valid key is answered, so that guessing keys takes no time from others."""
        if self._authentication is not None:
            await self._authentication.hold(size, seconds_left)

    def check(self, caller: Caller | None) -> None:
        """Checks that the caller of a stream may go on.

        Raises:
            Unauthenticated: The key has expired or been revoked since.
        """
        if caller is not None and self._authentication is not None:
            self._authentication.check(caller)

    def unary(self, name: str, method: Method) -> Method:
        """Returns a method that answers once, with its events counted and its calls audited as the tables say."""
        subject, count = self._methods.audited.get(name), self._methods.events.get(name)
        if subject and self._audit:
            method = self._audit.unary(name, subject, method)
        return _counted(self._rates, count, method) if count and self._rates else method

    def stream(self, name: str, method: Method) -> Method:
        """Returns a method that answers with a stream, with its calls audited as the table says."""
        subject = self._methods.audited.get(name)
        return self._audit.stream(name, subject, method) if subject and self._audit else method


OPEN = Access(Methods({}))
"""Lets everybody call everything, and audits nothing."""


@contextlib.asynccontextmanager
async def opened(
    database: Database, settings: ServerSettings, methods: Methods, errors: ErrorTable, *, service: str
) -> AsyncIterator[Access]:
    """Yields what admits the calls of a service such as `scoring`, with its keys read and kept up to date."""
    audit = AuditLog(database, service, errors)
    if not settings.authentication:
        yield Access(methods, audit=audit)
        return
    ring, rates, tokens = KeyRing(database), Rates(database), _tokens(settings)
    await ring.refresh()
    authentication = Authentication(ring, settings.service_names, tokens)
    async with running(ring.run(), rates.run(), *([tokens.run()] if tokens else [])):
        yield Access(methods, authentication, rates, audit)


def _tokens(settings: ServerSettings) -> "Tokens | None":
    if settings.token_rules is None:
        return None
    from shared.access.oidc import Tokens  # only here, because its imports take longer than all others together

    return Tokens(settings.token_rules)


def _counted(rates: Rates, count: Count, method: Method) -> Method:
    def counted(request: Any, context: Any) -> object:  # noqa: ANN401 (as grpc has it)
        caller = callers.current()
        if caller is not None and caller.limits is not None:
            rates.take(caller, count(request))
        return method(request, context)  # not awaited here: that would cost each call another coroutine

    return counted
