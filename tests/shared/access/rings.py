"""Keys and key rings without a database, for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from shared.access.keys import ApiKey, Limits, NewKey, new_key
from shared.access.ring import KeyRing
from shared.access.roles import Role
from shared.mongo import Database, Document

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
EXPIRED = NOW - timedelta(seconds=1)


class FakeKeys:
    """The collection of keys, as far as a key ring reads it."""

    def __init__(self, *documents: Document) -> None:
        self.documents = list(documents)
        self.error: Exception | None = None
        self.reads = 0

    def __getitem__(self, collection: str) -> "FakeKeys":
        assert collection == "api_keys"
        return self

    def find(self) -> "FakeKeys":
        """Returns the cursor, which is this, too."""
        return self

    async def to_list(self) -> list[Document]:
        """Returns all documents, or raises `error`."""
        self.reads += 1
        if self.error:
            raise self.error
        return self.documents


def stored(
    new: NewKey,
    *roles: Role,
    name: str = "website",
    expires_at: datetime | None = None,
    revoked_at: datetime | None = None,
    limits: Limits | None = None,
) -> Document:
    """Returns the document of a key."""
    return ApiKey(
        new.key_id,
        name,
        frozenset(roles),
        new.digest,
        NOW,
        "ada",
        expires_at=expires_at,
        revoked_at=revoked_at,
        limits=limits or Limits(),
    ).to_document()


async def ring_of(*documents: Document) -> KeyRing:
    """Returns a ring that holds keys, at the time `NOW`."""
    return await ring_from(FakeKeys(*documents))


async def ring_from(keys: FakeKeys) -> KeyRing:
    """Returns a ring that has read a collection once, at the time `NOW`."""
    ring = KeyRing(cast("Database", cast("Any", keys)), NOW.timestamp)
    await ring.refresh()
    return ring


def made(*roles: Role, **changes: Any) -> tuple[str, Document]:
    """Returns the text of a new key, and its document."""
    new = new_key()
    return new.text, stored(new, *roles, **changes)
