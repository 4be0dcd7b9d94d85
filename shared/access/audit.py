"""The audit log: a row for every call by which a person decides something, such as a publication or a correction.

Guarantee: the row is durable before the call has any effect, and without one the call is refused. When the call has
ended, its outcome is added; that is the only change that a row ever sees. A row without an outcome belongs to a call
that is running, or whose server was killed: it may or may not have had its effect.

Collection `audit_log`: {_id, at, actor, key_id, address, service, method, object, outcome | absent}, all of them text
but `at`. The admin service lists it.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextvars import Context as Variables
from typing import Any
from urllib.parse import unquote

import pymongo
from google.rpc import code_pb2
from pymongo.errors import PyMongoError

from shared import logs, wire
from shared.access import callers
from shared.mongo import Database, durable
from shared.rpc.errors import ErrorTable, status_of

COLLECTION = "audit_log"
MAX_CHARACTERS = 256
"""Longest text of an actor, and of what a call is about."""
ENVOY_HEADER = "x-envoy-external-address"
"""Where the Envoy of the HTTP API says who calls it."""
END_SECONDS = 2.0
"""Longest time to add an outcome; the deadline of the call may have passed by then."""

_LOG = logs.get(__name__)


class AuditLog:
    """Writes the rows of one service, such as `scoring`."""

    def __init__(self, database: Database, service: str, errors: ErrorTable) -> None:
        self._rows = durable(database[COLLECTION])
        self._service = service
        self._errors = errors
        self._ending: set[asyncio.Task[None]] = set()

    def unary(self, method: str, subject: Callable[[Any], str], inner: Any) -> Any:  # noqa: ANN401 (as grpc has it)
        """Returns a method that answers once, with a row for each call.

        `subject` says what a request is about. It returns an empty text for one that changes nothing and needs no row.
        """

        async def audited(request: Any, context: Any) -> object:  # noqa: ANN401
            if not subject(request):
                return await inner(request, context)
            row_id = await self.begin(method, subject(request), actor_of(request), _origin(context))
            try:
                response: object = await inner(request, context)
            except BaseException as error:
                await self.end(row_id, self._outcome(error))
                raise
            await self.end(row_id, "OK")
            return response

        return audited

    def stream(self, method: str, subject: Callable[[Any], str], inner: Any) -> Any:  # noqa: ANN401 (as grpc has it)
        """Returns a method that answers with a stream, with a row for each call."""

        async def audited(request: Any, context: Any) -> AsyncIterator[object]:  # noqa: ANN401
            row_id = await self.begin(method, subject(request), actor_of(request), _origin(context))
            try:
                async for response in inner(request, context):
                    yield response
            except BaseException as error:
                await self.end(row_id, self._outcome(error))
                raise
            await self.end(row_id, "OK")

        return audited

    async def begin(self, method: str, subject: str, actor: str, address: str) -> str:
        """Inserts the row of a call, and returns its id.

        Raises:
            ConnectionError: The row cannot be written; callers see UNAVAILABLE.
        """
        caller = callers.current()
        row = {
            "_id": uuid.uuid4().hex,
            "at": wire.now(),
            "actor": actor[:MAX_CHARACTERS],
            "key_id": caller.key_id if caller else "",
            "address": address,
            "service": self._service,
            "method": method,
            "object": subject[:MAX_CHARACTERS],
        }
        try:
            await self._rows.insert_one(row)
        except PyMongoError as error:
            raise ConnectionError(f"the audit log cannot be written: {logs.one_line(error)}") from error
        return str(row["_id"])

    async def end(self, row_id: str, outcome: str) -> None:
        """Adds the outcome to a row, even if the caller has left. If that fails, the row stays without one."""
        # A context of its own, because the deadline in this one may have passed.
        task = asyncio.create_task(self._end(row_id, outcome), context=Variables())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.wait([task])

    async def _end(self, row_id: str, outcome: str) -> None:
        try:
            with pymongo.timeout(END_SECONDS):
                await self._rows.update_one({"_id": row_id}, {"$set": {"outcome": outcome}})
        except PyMongoError as error:
            _LOG.warning("outcome missing in the audit log", row_id=row_id, outcome=outcome, error=logs.one_line(error))

    def _outcome(self, error: BaseException) -> str:
        if not isinstance(error, Exception):
            return "CANCELLED"
        return str(code_pb2.Code.Name(status_of(error, self._errors).code))


def actor_of(request: Any) -> str:  # noqa: ANN401 (any message)
    """Returns the caller's name or, if authentication is off, the actor that the request claims, if any."""
    return callers.actor(getattr(request, "actor", ""))


def _origin(context: Any) -> str:  # noqa: ANN401 (a call's context in gRPC)
    """Returns the address of a caller. For a call through the HTTP API, it also names for whom Envoy calls.

    A direct caller can invent the second part, but not the first.
    """
    address = address_of(context.peer())
    for name, value in context.invocation_metadata():
        if name == ENVOY_HEADER:
            return f"{address} for {value}"[:MAX_CHARACTERS]
    return address


def address_of(peer: str) -> str:
    """Returns the host of a peer of gRPC, such as `ipv4:127.0.0.1:5000`, or the peer itself if it has none."""
    kind, _, address = peer.partition(":")
    return unquote(address.rpartition(":")[0]).strip("[]") if kind in ("ipv4", "ipv6") else peer
