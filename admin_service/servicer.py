"""gRPC ⇄ domain, and the gRPC status of each error."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import grpc
from leadscore.admin.v1 import admin_pb2 as pb
from leadscore.admin.v1 import admin_pb2_grpc

from admin_service.domain.audit import AuditQuery, AuditRecord
from admin_service.domain.erasure import ErasureConflict, NothingKnown, OtherKey
from admin_service.domain.errors import KeyExists, KeyNotFound, KeyRevoked
from admin_service.domain.lifetime import DEFAULT_OVERLAP
from admin_service.messages import read_erasure, read_limits, read_roles, write_erasure, write_key, write_record
from admin_service.usecases.keys import Draft, KeyBook
from admin_service.usecases.privacy import Privacy
from shared import wire
from shared.access import callers
from shared.access.errors import ACCESS
from shared.rpc.admission import StreamKind, StreamTable
from shared.rpc.arguments import identifier, optional_text, optional_time
from shared.rpc.errors import ARGUMENTS, ErrorRow, ErrorTable, InvalidArgument, InvalidPageToken
from shared.rpc.handlers import Context
from shared.rpc.pagination import Cursor, asked_page

SERVICE = "leadscore.admin.v1.AdminService"

ERRORS: ErrorTable = {
    **ARGUMENTS,
    **ACCESS,
    KeyNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "KEY_NOT_FOUND"),
    KeyRevoked: ErrorRow(grpc.StatusCode.FAILED_PRECONDITION, "KEY_REVOKED"),
    KeyExists: ErrorRow(grpc.StatusCode.ALREADY_EXISTS, "KEY_EXISTS"),
    NothingKnown: ErrorRow(grpc.StatusCode.NOT_FOUND, "NOTHING_KNOWN"),
    ErasureConflict: ErrorRow(grpc.StatusCode.ALREADY_EXISTS, "ERASURE_CONFLICT"),
    OtherKey: ErrorRow(grpc.StatusCode.FAILED_PRECONDITION, "OTHER_KEY"),
}

STREAMS: StreamTable = {
    "CompactEvents": StreamKind.HEAVY,
    "ExportLead": StreamKind.HEAVY,
    "ReapplyErasures": StreamKind.HEAVY,
}

ReadAuditLog = Callable[[AuditQuery, Cursor, int], Awaitable[Sequence[AuditRecord]]]
"""Returns a page of records, newest first: those after a cursor, up to a number."""

DEFAULT_PAGE, MAX_PAGE, MAX_RECORDS = 50, 500, 1_000
MAX_OVERLAP = timedelta(days=366)
SHORTEST_KEPT = timedelta(days=1)
"""Properties of events that are not older cannot be removed: such events may still be sent again."""


class AdminServicer(admin_pb2_grpc.AdminServiceServicer):
    """Translates between gRPC and the use cases."""

    def __init__(
        self, book: KeyBook, read_audit_log: ReadAuditLog, privacy: Privacy, clock: Callable[[], datetime]
    ) -> None:
        self._book = book
        self._privacy = privacy
        self._read_audit_log = read_audit_log
        self._clock = clock

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Context) -> pb.CreateApiKeyResponse:
        """See `admin.proto`."""
        expires_at = optional_time("expire_time", request)
        if expires_at and expires_at <= self._clock():
            raise InvalidArgument("expire_time", "is in the past")
        draft = Draft(
            identifier("name", request.name),
            read_roles(request.roles),
            callers.actor(""),
            expires_at,
            read_limits(request.limits),
        )
        key, text = await self._book.create(draft, identifier("request_id", request.request_id))
        return pb.CreateApiKeyResponse(api_key=write_key(key, self._clock()), text=text)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Context) -> pb.ListApiKeysResponse:
        """See `admin.proto`."""
        query = ("ListApiKeys", request.include_dead)
        page = asked_page(request, query, datetime, str, default=DEFAULT_PAGE, limit=MAX_PAGE)
        found = await self._book.page(page.after, page.limit, include_dead=request.include_dead)
        keys, token = page.cut(found, lambda key: (key.created_at, key.key_id))
        now = self._clock()
        return pb.ListApiKeysResponse(api_keys=[write_key(key, now) for key in keys], next_page_token=token)

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: Context) -> pb.RevokeApiKeyResponse:
        """See `admin.proto`."""
        key = await self._book.revoke(identifier("key_id", request.key_id))
        return pb.RevokeApiKeyResponse(api_key=write_key(key, self._clock()))

    async def RotateApiKey(self, request: pb.RotateApiKeyRequest, context: Context) -> pb.RotateApiKeyResponse:
        """See `admin.proto`."""
        overlap = wire.to_span(request.overlap) if request.HasField("overlap") else DEFAULT_OVERLAP
        if not timedelta() <= overlap <= MAX_OVERLAP:
            raise InvalidArgument("overlap", f"must be 0 to {MAX_OVERLAP.days} days")
        new, text, old = await self._book.rotate(
            identifier("key_id", request.key_id),
            overlap,
            identifier("request_id", request.request_id),
            callers.actor(""),
        )
        now = self._clock()
        return pb.RotateApiKeyResponse(api_key=write_key(new, now), text=text, old_api_key=write_key(old, now))

    async def ListAuditLog(self, request: pb.ListAuditLogRequest, context: Context) -> pb.ListAuditLogResponse:
        """See `admin.proto`."""
        query = AuditQuery(
            optional_text("actor", request.actor),
            optional_text("object", request.object),
            optional_text("method", request.method),
            optional_time("from_time", request),
            optional_time("until_time", request),
        )
        bounds = [each.isoformat() if each else "" for each in (query.from_time, query.until_time)]
        arguments = ("ListAuditLog", query.actor, query.object, query.method, *bounds)
        page = asked_page(request, arguments, datetime, str, default=DEFAULT_PAGE, limit=MAX_RECORDS)
        found = await self._read_audit_log(query, page.after, page.limit)
        records, token = page.cut(found, lambda each: (each.call_time, each.record_id))
        return pb.ListAuditLogResponse(audit_records=map(write_record, records), next_page_token=token)

    async def EraseLead(self, request: pb.EraseLeadRequest, context: Context) -> pb.EraseLeadResponse:
        """See `admin.proto`."""
        erasure = await self._privacy.erasing.erase(
            identifier("lead_id", request.lead_id),
            identifier("request_id", request.request_id),
            callers.actor(optional_text("actor", request.actor)),
        )
        return pb.EraseLeadResponse(erasure=write_erasure(erasure))

    async def ListErasures(self, request: pb.ListErasuresRequest, context: Context) -> pb.ListErasuresResponse:
        """See `admin.proto`."""
        page = asked_page(request, ("ListErasures",), datetime, str, default=DEFAULT_PAGE, limit=MAX_RECORDS)
        found = await self._privacy.erasing.erasures.page(_with_bytes(page.after), page.limit)
        erasures, token = page.cut(found, lambda each: (each.time, each.request.hex()))
        return pb.ListErasuresResponse(
            erasures=map(write_erasure, erasures),
            next_page_token=token,
            key_id=self._privacy.erasing.digests.key_id,
        )

    async def ReapplyErasures(
        self, request: pb.ReapplyErasuresRequest, context: Context
    ) -> AsyncIterator[pb.ReapplyErasuresResponse]:
        """See `admin.proto`."""
        if not 1 <= len(request.erasures) <= MAX_RECORDS:
            raise InvalidArgument("erasures", f"has {len(request.erasures)}, must have 1 to {MAX_RECORDS:,}")
        erasures = [read_erasure(f"erasures[{index}]", each) for index, each in enumerate(request.erasures)]
        yield pb.ReapplyErasuresResponse(lead_count=await self._privacy.erasing.reapply(erasures, request.key_id))

    async def ExportLead(self, request: pb.ExportLeadRequest, context: Context) -> AsyncIterator[pb.ExportLeadResponse]:
        """See `admin.proto`."""
        async for document in self._privacy.export(identifier("lead_id", request.lead_id)):
            yield pb.ExportLeadResponse(collection=document.collection, json=document.json)

    async def CompactEvents(
        self, request: pb.CompactEventsRequest, context: Context
    ) -> AsyncIterator[pb.CompactEventsResponse]:
        """See `admin.proto`."""
        before = optional_time("before", request)
        if before is None:
            raise InvalidArgument("before", "is missing")
        if before > self._clock() - SHORTEST_KEPT:
            raise InvalidArgument("before", "is less than a day ago")
        async for progress in self._privacy.compaction.run(before):
            yield pb.CompactEventsResponse(**asdict(progress))


def _with_bytes(cursor: Cursor) -> tuple[object, ...]:
    """Returns the cursor of a list of erasures with the request as bytes; callers can forge it."""
    try:
        return (*cursor[:1], *(bytes.fromhex(str(request)) for request in cursor[1:]))
    except ValueError:
        raise InvalidPageToken from None
