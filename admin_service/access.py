"""Who may call which method, and which calls are audited."""

from leadscore.admin.v1 import admin_pb2 as pb

from shared.access.enforcement import Methods
from shared.access.roles import Role


def _new_key(request: pb.CreateApiKeyRequest) -> str:
    return f"key named {request.name}"  # it has no id before it is made


def _key(request: pb.RevokeApiKeyRequest | pb.RotateApiKeyRequest) -> str:
    return f"key {request.key_id}"


def _lead(request: pb.EraseLeadRequest | pb.ExportLeadRequest) -> str:
    return f"lead {request.lead_id}"  # an erasure replaces it by the pseudonym, also in older records


def _erasures(request: pb.ReapplyErasuresRequest) -> str:
    return f"{len(request.erasures)} erasures"


def _old_events(request: pb.CompactEventsRequest) -> str:
    return f"all before Unix time {request.before.seconds}"  # a malformed time has no other text


METHODS = Methods(
    roles={
        "CreateApiKey": Role.ADMIN,
        "ListApiKeys": Role.ADMIN,
        "RevokeApiKey": Role.ADMIN,
        "RotateApiKey": Role.ADMIN,
        "ListAuditLog": Role.ADMIN,
        "EraseLead": Role.ADMIN,
        "ListErasures": Role.ADMIN,
        "ReapplyErasures": Role.ADMIN,
        "ExportLead": Role.ADMIN,
        "CompactEvents": Role.ADMIN,
    },
    audited={
        "CreateApiKey": _new_key,
        "RevokeApiKey": _key,
        "RotateApiKey": _key,
        "EraseLead": _lead,
        "ExportLead": _lead,
        "ReapplyErasures": _erasures,
        "CompactEvents": _old_events,
    },
)
