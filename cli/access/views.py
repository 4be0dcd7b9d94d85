"""Views of keys and of the audit log."""

from collections.abc import Iterable

from leadscore.admin.v1 import admin_pb2 as pb
from rich.console import RenderableType
from rich.text import Text

from cli.terminal import pieces
from cli.terminal.pieces import minute, plain

_STYLES = {"live": "green", "expired": "yellow", "revoked": "dim"}


def keys_table(keys: Iterable[pb.ApiKey]) -> RenderableType:
    """Returns a table with one row per key."""
    columns = ("key", "name", "roles", "state", "limits", "created (UTC)", "by", "expires (UTC)")
    optional = ["by", "created (UTC)", "limits", "expires (UTC)"]
    table = pieces.table(*columns, optional=optional, unbroken={"created (UTC)", "expires (UTC)"})
    for key in keys:
        state = pb.KeyState.Name(key.state).removeprefix("KEY_STATE_").lower()
        table.add_row(
            key.key_id,
            plain(key.name),
            ", ".join(role_names(key)),
            Text(state, _STYLES.get(state, "")),
            _limits(key.limits),
            minute(key.create_time),
            plain(key.creator),
            minute(key.expire_time),
        )
    return table


def records_table(records: Iterable[pb.AuditRecord]) -> RenderableType:
    """Returns a table with one row per call."""
    columns = ("time (UTC)", "actor", "service", "method", "object", "outcome", "address", "key")
    optional = ["key", "address", "service"]
    table = pieces.table(*columns, optional=optional, unbroken={"time (UTC)"})
    for record in records:
        fine = record.outcome == "OK"
        table.add_row(
            minute(record.call_time),
            plain(record.actor),
            plain(record.service),
            plain(record.method),
            plain(record.object),
            plain(record.outcome or "unknown", "green" if fine else "yellow"),
            plain(record.address),
            plain(record.key_id),
        )
    return table


def role_names(key: pb.ApiKey) -> list[str]:
    """Returns the roles of a key as the command line has them."""
    return [pb.Role.Name(role).removeprefix("ROLE_").lower() for role in key.roles]


def _limits(limits: pb.Limits) -> str:
    parts = ((limits.per_second, "a second"), (limits.burst, "at once"), (limits.per_day, "a day"))
    return ", ".join(f"{count:,} {unit}" for count, unit in parts if count)
