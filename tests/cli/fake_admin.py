"""An admin service that makes and lists keys, and lists audit records."""

from collections.abc import Iterable
from typing import Any

import grpc
from leadscore.admin.v1 import admin_pb2 as pb
from leadscore.admin.v1 import admin_pb2_grpc

from shared import wire
from tests.cli.fake_pages import MAX_PAGE, page

TEXT = "lsk_abcdefghijkl_the-secret"
NOON = wire.to_timestamp(wire.EPOCH)
EVIL = "\x1b[31m<b>evil"
RECORDS = 2 * MAX_PAGE + 1


class FakeAdmin(admin_pb2_grpc.AdminServiceServicer):
    """Makes the same key again and again, and lists more records than a page holds."""

    def __init__(self) -> None:
        self.requests: list[object] = []

    def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: grpc.ServicerContext) -> pb.CreateApiKeyResponse:
        """See `admin.proto`."""
        self.requests.append(request)
        return pb.CreateApiKeyResponse(api_key=key(request.name, request.roles), text=TEXT)

    def ListApiKeys(self, request: pb.ListApiKeysRequest, context: grpc.ServicerContext) -> pb.ListApiKeysResponse:
        """See `admin.proto`."""
        self.requests.append(request)
        return pb.ListApiKeysResponse(api_keys=[key("website", [pb.ROLE_INGEST]), key(EVIL, [pb.ROLE_READ])])

    def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: grpc.ServicerContext) -> pb.RevokeApiKeyResponse:
        """See `admin.proto`."""
        self.requests.append(request)
        revoked = key("website", [pb.ROLE_INGEST], state=pb.KEY_STATE_REVOKED)
        return pb.RevokeApiKeyResponse(api_key=revoked)

    def RotateApiKey(self, request: pb.RotateApiKeyRequest, context: grpc.ServicerContext) -> pb.RotateApiKeyResponse:
        """See `admin.proto`."""
        self.requests.append(request)
        made, old = key("website", [pb.ROLE_INGEST]), key("website", [pb.ROLE_INGEST])
        return pb.RotateApiKeyResponse(api_key=made, text=TEXT, old_api_key=old)

    def ListAuditLog(self, request: pb.ListAuditLogRequest, context: grpc.ServicerContext) -> pb.ListAuditLogResponse:
        """See `admin.proto`."""
        self.requests.append(request)
        numbers, token = page(RECORDS, request)
        return pb.ListAuditLogResponse(audit_records=map(record, numbers), next_page_token=token)


def key(name: str, roles: Iterable[pb.Role], **fields: Any) -> pb.ApiKey:
    """Returns a key."""
    good: dict[str, Any] = {
        "key_id": "abcdefghijkl",
        "state": pb.KEY_STATE_LIVE,
        "create_time": NOON,
        "expire_time": NOON,
    }
    return pb.ApiKey(name=name, roles=roles, limits=pb.Limits(per_second=5, per_day=1000), **(good | fields))


def record(number: int) -> pb.AuditRecord:
    """Returns an audit record; the first has a hostile object."""
    about = f"={EVIL}" if number == 0 else f"lead-{number}"
    return pb.AuditRecord(
        record_id=str(number), call_time=NOON, actor="ada", service="scoring", method="RetractEvent", object=about
    )
