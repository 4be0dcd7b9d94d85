"""The keys that a server accepts, in memory.

Guarantee: no call reads the database, a revoked key is refused within `REFRESH_SECONDS` and the time of one read, and
the answer takes the same time whatever is wrong with a key. While MongoDB is unreachable, the last keys remain valid.
"""

import asyncio
import hmac
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import pymongo
from pymongo.errors import PyMongoError

from shared import logs
from shared.access.callers import Caller
from shared.access.keys import COLLECTION, ApiKey, Limits, digest, key_id_of
from shared.mongo import Database, Document
from shared.tasks import is_cancelled

REFRESH_SECONDS = 3.0
"""Interval at which all keys are read anew."""
READ_SECONDS = 5.0
"""Longest time of such a read."""

_LOG = logs.get(__name__)


class _Entry(NamedTuple):
    digest: bytes
    caller: Caller


_NOBODY = _Entry(bytes(32), Caller("", frozenset(), ends_at=-math.inf))
"""What an unknown key is compared with."""


class KeyRing:
    """Holds all keys. Call `refresh` once before the first call, and keep `run` running."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._keys = database[COLLECTION]
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._damaged: set[str] = set()

    async def run(self) -> None:
        """Reads the keys again and again, until it is cancelled."""
        is_stale = False
        while not is_cancelled():
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
                is_stale = False
            except PyMongoError as error:
                if not is_stale:
                    _LOG.warning("API keys cannot be read; the last ones remain valid", error=logs.one_line(error))
                is_stale = True

    async def refresh(self) -> None:
        """Reads all keys.

        Raises:
            PyMongoError: They cannot be read.
        """
        with pymongo.timeout(READ_SECONDS):
            documents = await self._keys.find().to_list()
        self._entries = dict(self._entry(each) for each in documents)

    def caller(self, text: str) -> Caller | None:
        """Returns whose key a text is; None if it is not a key, or one that has expired or is revoked."""
        entry = self._entries.get(key_id_of(text), _NOBODY)
        matches = hmac.compare_digest(entry.digest, digest(text))
        return entry.caller if matches & (self._clock() < entry.caller.ends_at) else None

    def is_live(self, caller: Caller) -> bool:
        """Returns whether a caller may go on: the key has neither expired nor been revoked since."""
        if caller.key_id:
            caller = self._entries.get(caller.key_id, _NOBODY).caller
        return self._clock() < caller.ends_at

    def _entry(self, document: Document) -> tuple[str, _Entry]:
        try:
            key = ApiKey.from_document(document)
        except (KeyError, ValueError, TypeError) as error:
            key_id = str(document["_id"])
            if key_id not in self._damaged:
                self._damaged.add(key_id)
                _LOG.error("API key cannot be read and is refused", key_id=key_id, error=logs.one_line(error))
            return key_id, _NOBODY
        return key.key_id, _Entry(key.digest, _caller(key))


def _caller(key: ApiKey) -> Caller:
    ends_at = math.inf if key.expires_at is None else key.expires_at.timestamp()
    if key.revoked_at is not None:
        ends_at = -math.inf
    limits = None if key.limits == Limits() else key.limits
    return Caller(key.name, key.roles, key.key_id, limits, ends_at)
