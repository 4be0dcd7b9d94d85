"""Who may call which method, and which calls are audited."""

from leadscore.admin.v1 import admin_pb2 as pb

from shared.access.enforcement import Methods
from shared.access.roles import Role


def _new_key(request: pb.CreateApiKeyRequest) -> str:
    return f"key named {request.name}"  # it has no id before it is made


def _key(request: pb.RevokeApiKeyRequest | pb.RotateApiKeyRequest) -> str:
    return f"key {request.key_id}"


METHODS = Methods(
    roles={
        "CreateApiKey": Role.ADMIN,
        "ListApiKeys": Role.ADMIN,
        "RevokeApiKey": Role.ADMIN,
        "RotateApiKey": Role.ADMIN,
        "ListAuditLog": Role.ADMIN,
    },
    audited={"CreateApiKey": _new_key, "RevokeApiKey": _key, "RotateApiKey": _key},
)
