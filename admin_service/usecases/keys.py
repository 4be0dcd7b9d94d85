"""Makes, lists, revokes and replaces keys."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from admin_service.domain.errors import KeyRevoked
from admin_service.domain.lifetime import end_of_overlap, renewed_expiry
from admin_service.store.keys import MongoKeys
from shared.access.keys import ApiKey, Limits, NewKey, new_key
from shared.access.roles import Role
from shared.rpc.pagination import Cursor

NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Draft:
    """What a key is made from."""

    name: str
    roles: frozenset[Role]
    creator: str
    expires_at: datetime | None = None
    limits: Limits = NO_LIMITS

    def key(self, made: NewKey, now: datetime) -> ApiKey:
        """Returns the key."""
        return ApiKey(
            made.key_id, self.name, self.roles, made.digest, now, self.creator, self.expires_at, limits=self.limits
        )


@dataclass(frozen=True, slots=True)
class KeyBook:
    """Makes, lists, revokes and replaces keys."""

    keys: MongoKeys
    clock: Callable[[], datetime]

    async def create(self, draft: Draft, request_id: str) -> tuple[ApiKey, str]:
        """Stores a new key; returns it with its text.

        Raises:
            KeyExists: The request id has made a key.
        """
        made = new_key()
        key = draft.key(made, self.clock())
        await self.keys.insert(key, request_id)
        return key, made.text

    async def create_first(self, draft: Draft) -> str:
        """Stores the first key with the role `admin` or `service`, and returns its text; empty if there is a live one.

        The roles of the draft are checked by the settings.
        """
        made, now = new_key(), self.clock()
        first = draft.roles & {Role.ADMIN, Role.SERVICE}
        return made.text if await self.keys.insert_first(draft.key(made, now), now, first) else ""

    async def page(self, after: Cursor, limit: int, *, include_dead: bool) -> list[ApiKey]:
        """Returns a page of keys, newest first."""
        return await self.keys.page(after, limit, None if include_dead else self.clock())

    async def revoke(self, key_id: str) -> ApiKey:
        """Revokes a key and returns it.

        Raises:
            KeyNotFound: No key has this id.
        """
        return await self.keys.revoke(key_id, self.clock())

    async def rotate(
        self, key_id: str, overlap: timedelta, request_id: str, creator: str
    ) -> tuple[ApiKey, str, ApiKey]:
        """Stores a key that takes the place of another; returns it, its text, and the old key.

        Raises:
            KeyNotFound: No key has this id.
            KeyRevoked: The key is revoked.
            KeyExists: The request id has made a key.
        """
        made, now = new_key(), self.clock()

        def replacement(old: ApiKey) -> tuple[ApiKey, datetime]:
            if old.revoked_at:
                raise KeyRevoked(key_id)
            expires_at = renewed_expiry(old.created_at, old.expires_at, now)
            new = Draft(old.name, old.roles, creator, expires_at, old.limits).key(made, now)
            return replace(new, replaces=key_id), end_of_overlap(old.expires_at, now, overlap)

        new, old = await self.keys.replace(key_id, replacement, request_id)
        return new, made.text, old
