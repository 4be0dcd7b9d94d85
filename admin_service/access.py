"""Who may call what, and which calls are audited."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.access.enforcement import Methods
from shared.access.roles import Role

ROLES: Mapping[str, Role] = {
    "CreateApiKey": Role.ADMIN,
    "ListApiKeys": Role.ADMIN,
    "RevokeApiKey": Role.ADMIN,
    "RotateApiKey": Role.ADMIN,
    "ListAuditLog": Role.ADMIN,
}

AUDITED: Mapping[str, Callable[[Any], str]] = {
    "CreateApiKey": lambda request: request.name,
    "RevokeApiKey": lambda request: request.key_id,
    "RotateApiKey": lambda request: request.key_id,
}
"""What a call is about; a new key has no id before it is made, so its name stands for it."""

METHODS = Methods(ROLES, AUDITED)
