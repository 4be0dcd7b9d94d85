"""The roles of callers.

Guarantee: a method needs exactly one role, and no role includes another, except that `service` includes `read`.
"""

from collections.abc import Collection
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do."""

    INGEST = "ingest"
    """Send events."""
    READ = "read"
    """Read leads, scores, models, rules and executions."""
    OPERATE = "operate"
    """Correct scores, apply decay, rebuild, and retry or discard what failed."""
    PUBLISH = "publish"
    """Change scoring models and automation rules."""
    ADMIN = "admin"
    """Manage keys, read the audit log, and erase leads."""
    SERVICE = "service"
    """Call other services, as a service of this system."""


def allows(roles: Collection[Role], needed: Role) -> bool:
    """Returns whether a caller with these roles may call a method that needs one."""
    return needed in roles or (needed is Role.READ and Role.SERVICE in roles)
