"""Translates keys and audit records between protobuf and the domain."""

from collections.abc import Sequence
from datetime import datetime

from leadscore.admin.v1 import admin_pb2 as pb

from admin_service.domain.audit import AuditRecord
from admin_service.domain.erasure import Counts, Erasure
from shared import wire
from shared.access.keys import ApiKey, Limits
from shared.access.roles import Role
from shared.contracts.erasures import DIGEST_BYTES
from shared.rpc.arguments import time
from shared.rpc.errors import InvalidArgument

MAX_EVENTS = 10**9
"""The largest limit of a key, in events."""
_ROLES = {pb.Role.Value(f"ROLE_{role.name}"): role for role in Role}


def read_roles(roles: Sequence[pb.Role]) -> frozenset[Role]:
    """Returns the roles of a request.

    Raises:
        InvalidArgument: There are none, or one is unknown.
    """
    if not roles:
        raise InvalidArgument("roles", "is empty")
    for index, number in enumerate(roles):
        if number not in _ROLES:
            raise InvalidArgument(f"roles[{index}]", f"{number} is not a role")
    return frozenset(_ROLES[number] for number in roles)


def read_limits(limits: pb.Limits) -> Limits:
    """Returns the limits of a request.

    Raises:
        InvalidArgument: One is negative or too large, or there is a burst without a rate.
    """
    values = {"per_second": limits.per_second, "burst": limits.burst, "per_day": limits.per_day}
    for name, value in values.items():
        if not 0 <= value <= MAX_EVENTS:
            raise InvalidArgument(f"limits.{name}", f"is {value:,}, must be 0 to {MAX_EVENTS:,}")
    if limits.burst and not limits.per_second:
        raise InvalidArgument("limits.burst", "is given without per_second")
    return Limits(**values)


def write_key(key: ApiKey, now: datetime) -> pb.ApiKey:
    """Returns a key as a message; `now` decides whether it has expired."""
    limits = pb.Limits(per_second=key.limits.per_second, burst=key.limits.burst, per_day=key.limits.per_day)
    return pb.ApiKey(
        key_id=key.key_id,
        name=key.name,
        roles=[f"ROLE_{role.name}" for role in sorted(key.roles)],
        limits=limits if key.limits != Limits() else None,
        state=_state(key, now),
        create_time=wire.to_timestamp(key.created_at),
        creator=key.created_by,
        expire_time=wire.to_timestamp(key.expires_at) if key.expires_at else None,
        revoke_time=wire.to_timestamp(key.revoked_at) if key.revoked_at else None,
        replaces=key.replaces or "",
    )


def write_record(record: AuditRecord) -> pb.AuditRecord:
    """Returns an audit record as a message."""
    return pb.AuditRecord(
        record_id=record.record_id,
        call_time=wire.to_timestamp(record.call_time),
        actor=record.actor,
        key_id=record.key_id,
        address=record.address,
        service=record.service,
        method=record.method,
        object=record.object,
        outcome=record.outcome,
    )


def _state(key: ApiKey, now: datetime) -> pb.KeyState:
    if key.revoked_at:
        return pb.KEY_STATE_REVOKED
    return pb.KEY_STATE_LIVE if key.is_live(now) else pb.KEY_STATE_EXPIRED


def write_erasure(erasure: Erasure) -> pb.Erasure:
    """Returns an erasure."""
    return pb.Erasure(
        request_digest=erasure.request,
        lead_digest=erasure.lead,
        pseudonyms=erasure.pseudonyms,
        erase_time=wire.to_timestamp(erasure.time),
        actor=erasure.actor,
        done=erasure.is_done,
        entry_count=erasure.counts.entries,
        event_count=erasure.counts.events,
        execution_count=erasure.counts.executions,
    )


def read_erasure(field: str, message: pb.Erasure) -> Erasure:
    """Returns an erasure that is to be repeated.

    Raises:
        InvalidArgument: A digest or the time is malformed.
    """
    for name in ("request_digest", "lead_digest"):
        if len(getattr(message, name)) != DIGEST_BYTES:
            raise InvalidArgument(f"{field}.{name}", f"must have {DIGEST_BYTES} bytes")
    counts = Counts(message.entry_count, message.event_count, message.execution_count)
    return Erasure(
        message.request_digest,
        message.lead_digest,
        tuple(message.pseudonyms),
        time(f"{field}.erase_time", message.erase_time),
        message.actor,
        counts=counts,
    )
