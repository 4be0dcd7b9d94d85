"""Which tokens of an OpenID Connect issuer servers accept, as settings say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.access.roles import Role

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Which tokens to accept, and what they say of their bearers.

    `roles` has the roles that each value of the claim `roles_claim` gives. `leeway` is by how many seconds the clocks
    of the issuer and of this machine may differ.
    """

    issuer: str
    audience: str
    roles: Mapping[str, frozenset[Role]]
    roles_claim: str = "roles"
    name_claim: str = "sub"
    leeway: int = 60


def read_roles(text: str) -> dict[str, frozenset[Role]]:
    """Reads which roles the values of a claim give: `analysts=read,admins=admin,admins=operate`.

    Raises:
        ValueError: The text has another form, or a role is unknown.
    """
    found: dict[str, frozenset[Role]] = {}
    for pair in text.split(","):
        value, equals, role = (part.strip() for part in pair.rpartition("="))
        if not (value and equals):
            raise ValueError(f"{pair!r} is not of the form value=role")
        found[value] = found.get(value, frozenset()) | {Role(role)}
    return found


def require_safe(url: str) -> str:
    """Returns a URL that can be trusted to lead to the issuer: one with https, or one of this machine.

    Raises:
        ValueError: It is another URL.
    """
    parts = urlsplit(url)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        return url
    raise ValueError(f"{url!r} must be an https URL")
