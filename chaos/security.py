"""TLS and keys for every process and client of a world, if `SECURE` is set."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.access.keys import COLLECTION, ApiKey, NewKey, new_key
from shared.access.roles import Role
from testkit.certificates import Authority

SECURE = "SECURE"
_OF_CLIENTS = frozenset({Role.INGEST, Role.READ, Role.OPERATE, Role.PUBLISH, Role.ADMIN})


class Security:
    """The settings of the services, with a key of their own, and the key of clients; both empty without `SECURE`."""

    def __init__(self, directory: Path) -> None:
        self.settings: Mapping[str, str] = {}
        self.key = ""
        self._documents: list[dict[str, Any]] = []
        if os.environ.get(SECURE):
            authority, services, clients = Authority(directory), new_key(), new_key()
            self.key = clients.text
            self.settings = {
                **authority.issue("world"),
                **authority.trusted(),
                "LEADSCORE_AUTHENTICATION": "true",
                "LEADSCORE_API_KEY": services.text,
            }
            named = ((services, "services", frozenset({Role.SERVICE})), (clients, "clients", _OF_CLIENTS))
            self._documents = [_stored(*each).to_document() for each in named]

    async def store_keys(self, database: Any) -> None:
        """Stores the keys, which servers read when they start."""
        if self._documents:
            await database[COLLECTION].insert_many(self._documents)


def _stored(key: NewKey, name: str, roles: frozenset[Role]) -> ApiKey:
    return ApiKey(key.key_id, name, roles, key.digest, datetime.now(UTC), "chaos")
