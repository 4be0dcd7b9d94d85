"""What the tests of the admin service share."""

import itertools
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from leadscore.admin.v1 import admin_pb2 as pb
from leadscore.admin.v1 import admin_pb2_grpc

Stub: TypeAlias = "admin_pb2_grpc.AdminServiceAsyncStub"
_numbers = itertools.count()


@dataclass(slots=True)
class Clock:
    """A clock that stands still until a test moves it."""

    now: datetime

    def __call__(self) -> datetime:
        """Returns the time."""
        return self.now


def create_request(**fields: Any) -> pb.CreateApiKeyRequest:
    """Returns a request that succeeds, unless a field spoils it."""
    good = {"name": "website", "roles": [pb.ROLE_INGEST], "request_id": f"request-{next(_numbers)}"}
    return pb.CreateApiKeyRequest(**(good | fields))


def rotate_request(key_id: str, **fields: Any) -> pb.RotateApiKeyRequest:
    """Returns a request that succeeds, unless a field spoils it."""
    return pb.RotateApiKeyRequest(**({"key_id": key_id, "request_id": f"request-{next(_numbers)}"} | fields))
