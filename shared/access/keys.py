"""API keys: the text that a caller holds, and the document that is stored about it.

Guarantee: nothing stored gives the text of a key back. Collection `api_keys`, one document a key, owned by the admin
service and read by every server.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from shared.access.roles import Role
from shared.mongo import Document

COLLECTION = "api_keys"
PREFIX = "lsk"
"""How each key begins, so that people and scanners of secrets recognise one."""
ID_CHARACTERS = 12
SECRET_BYTES = 32

_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_ID_BEGINS = len(PREFIX) + 1
_ID_ENDS = _ID_BEGINS + ID_CHARACTERS


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. Its text is shown once and never stored."""

    key_id: str
    text: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """The digest to store."""
        return digest(self.text)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many events a key may send. 0 means no limit."""

    per_second: int = 0
    """Events per second, on average; each server process counts for itself."""
    burst: int = 0
    """Events that may come at once; 0 means as many as `per_second`."""
    per_day: int = 0
    """Events per day in UTC; all servers together."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is stored about a key."""

    key_id: str
    name: str
    """The actor in histories and in the audit log."""
    roles: frozenset[Role]
    digest: bytes = field(repr=False)
    """SHA-256 of the text of the key."""
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    limits: Limits = Limits()
    replaces: str | None = None
    """The id of the key that this one was made to replace."""

    def is_live(self, now: datetime) -> bool:
        """Returns whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def to_document(self) -> Document:
        """Returns the document; what is absent here is absent there."""
        optional = {
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "limits": _limits_document(self.limits),
            "replaces": self.replaces,
        }
        return {
            "_id": self.key_id,
            "name": self.name,
            "roles": sorted(self.roles),
            "digest": self.digest,
            "created_at": self.created_at,
            "created_by": self.created_by,
            **{name: value for name, value in optional.items() if value},
        }

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """Reads a document.

        Raises:
            KeyError, ValueError, TypeError: It is not the document of a key.
        """
        return cls(
            key_id=document["_id"],
            name=document["name"],
            roles=frozenset(map(Role, document["roles"])),
            digest=bytes(document["digest"]),
            created_at=document["created_at"],
            created_by=document["created_by"],
            expires_at=document.get("expires_at"),
            revoked_at=document.get("revoked_at"),
            limits=Limits(**document.get("limits", {})),
            replaces=document.get("replaces"),
        )


def new_key() -> NewKey:
    """Makes a key: `lsk_<id>_<secret>`. The id is public, the secret has 256 random bits."""
    key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(ID_CHARACTERS))
    secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()
    return NewKey(key_id, f"{PREFIX}_{key_id}_{secret}")


def key_id_of(text: str) -> str:
    """Returns the id in the text of a key. For any other text, this is no key's id."""
    return text[_ID_BEGINS:_ID_ENDS]


def digest(text: str) -> bytes:
    """Returns what is stored of the text of a key. Its 256 random bits need no slow hash."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _limits_document(limits: Limits) -> dict[str, int]:
    named = {"per_second": limits.per_second, "burst": limits.burst, "per_day": limits.per_day}
    return {name: value for name, value in named.items() if value}
