"""The collection of keys."""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from admin_service.domain.errors import KeyExists, KeyNotFound
from shared.access.keys import COLLECTION, ApiKey
from shared.access.roles import Role
from shared.mongo import Database, Document, durable, transact
from shared.rpc.pagination import Cursor

TRANSACTION_SECONDS = 5.0
_NOT_REVOKED: Document = {"revoked_at": {"$exists": False}}
_FIRST_KEY: Document = {"_id": "first_key"}

Replacement = Callable[[ApiKey], tuple[ApiKey, datetime]]
"""Returns the key that takes the place of another, and when the other one expires."""


class MongoKeys:
    """Stores keys. The `_id` of a row is the key's id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys = durable(database[COLLECTION])

    async def insert(self, key: ApiKey, request_id: str) -> None:
        """Stores a new key.

        Raises:
            KeyExists: The request id has made a key.
        """
        try:
            await self._keys.insert_one(key.to_document() | {"request_id": request_id})
        except DuplicateKeyError:
            made = await self._keys.find_one({"request_id": request_id}, {"_id": 1})
            if made is None:
                raise  # two keys with the same 60 random bits
            raise KeyExists(made["_id"]) from None

    async def insert_first(self, key: ApiKey, now: datetime, roles: Collection[Role]) -> bool:
        """Stores a key unless a live one has one of these roles; returns whether it did."""

        async def insert() -> bool:
            # Two of these transactions conflict here, so that only one of them finds no key.
            await self._database["deployment"].update_one(_FIRST_KEY, {"$set": {"time": now}}, upsert=True)
            if await self._database[COLLECTION].find_one(_live(now) | {"roles": {"$in": list(roles)}}):
                return False
            await self._database[COLLECTION].insert_one(key.to_document())
            return True

        return await transact(self._database, insert, seconds=TRANSACTION_SECONDS)

    async def get(self, key_id: str) -> ApiKey:
        """Returns a key.

        Raises:
            KeyNotFound: No key has this id.
        """
        row = await self._database[COLLECTION].find_one({"_id": key_id})
        if row is None:
            raise KeyNotFound(key_id)
        return ApiKey.from_document(row)

    async def page(self, after: Cursor, limit: int, live_at: datetime | None) -> list[ApiKey]:
        """Returns a page of keys, newest first; only those that are live at a time, if one is given."""
        which: list[Document] = [_live(live_at)] if live_at else []
        if after:
            time, key_id = after
            which.append({"$or": [{"created_at": {"$lt": time}}, {"created_at": time, "_id": {"$lt": key_id}}]})
        rows = self._keys.find({"$and": which} if which else {})
        ordered = rows.sort([("created_at", DESCENDING), ("_id", DESCENDING)]).limit(limit)
        return [ApiKey.from_document(row) async for row in ordered]

    async def revoke(self, key_id: str, now: datetime) -> ApiKey:
        """Revokes a key, unless it is revoked already, and returns it.

        Raises:
            KeyNotFound: No key has this id.
        """
        row = await self._keys.find_one_and_update(
            {"_id": key_id, **_NOT_REVOKED}, {"$set": {"revoked_at": now}}, return_document=ReturnDocument.AFTER
        )
        return ApiKey.from_document(row) if row else await self.get(key_id)

    async def replace(self, key_id: str, replacement: Replacement, request_id: str) -> tuple[ApiKey, ApiKey]:
        """Stores the key that takes the place of another; returns it, and the other one with its new expiry.

        Raises:
            KeyNotFound: No key has this id.
            KeyExists: The request id has made a key.
        """
        keys = self._database[COLLECTION]

        async def store() -> tuple[ApiKey, ApiKey]:
            made = await keys.find_one({"request_id": request_id}, {"_id": 1})
            if made:
                raise KeyExists(made["_id"])
            old = await self.get(key_id)
            new, expires_at = replacement(old)
            await keys.insert_one(new.to_document() | {"request_id": request_id})
            await keys.update_one({"_id": key_id}, {"$set": {"expires_at": expires_at}})
            return new, replace(old, expires_at=expires_at)

        return await transact(self._database, store, seconds=TRANSACTION_SECONDS)


def _live(now: datetime) -> Document:
    return _NOT_REVOKED | {"$or": [{"expires_at": {"$exists": False}}, {"expires_at": {"$gt": now}}]}
