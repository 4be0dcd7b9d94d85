"""What callers see when they may not make a call.

Guarantee: whatever is wrong with a key, the answer is the same, so that nobody learns which keys exist.
"""

import grpc

from shared.access.roles import Role
from shared.rpc.errors import ErrorRow, ErrorTable


class Unauthenticated(Exception):
    """The caller has not shown who they are."""

    def __init__(self) -> None:
        super().__init__("the API key is missing, unknown, expired or revoked")


class PermissionDenied(Exception):
    """The caller does not have the role that a method needs."""

    def __init__(self, method: str, role: Role | None) -> None:
        super().__init__(f"{method} needs a caller with the role {role}" if role else f"nobody may call {method}")
        self.metadata = {"role": role or ""}


class KeyLimitExceeded(Exception):
    """A key has sent as many events as it may. The caller should retry after `retry_seconds`."""

    def __init__(self, limit: str, retry_seconds: float) -> None:
        super().__init__(f"the API key has used up its {limit}; retry later")
        self.retry_seconds = retry_seconds


ACCESS: ErrorTable = {
    Unauthenticated: ErrorRow(grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN"),
    PermissionDenied: ErrorRow(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING"),
}
"""The rows that all services share."""
