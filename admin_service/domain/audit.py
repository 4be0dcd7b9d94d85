"""The audit log: what it records of a call, and what can be asked of it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """The record of one call; texts are empty where there is nothing to say.

    `outcome` is the name of a gRPC status code. It is empty while the call is carried out, and if its server died.
    """

    record_id: str
    call_time: datetime
    actor: str
    key_id: str
    address: str
    service: str
    method: str
    object: str
    outcome: str


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which records to list; an empty text or None selects all. `until_time` is exclusive."""

    actor: str = ""
    object: str = ""
    method: str = ""
    from_time: datetime | None = None
    until_time: datetime | None = None
