"""Lanes for requests: a wide one for callers whose keys were valid lately, and narrow ones for all others.

The ingest service holds its answers to wrong keys, so a request with one keeps what it takes here for a second. The
signature of a webhook is checked here, but only once the whole body has arrived, and its sender may send that slowly.
Guarantee: requests with keys that were not valid lately, and those of webhooks, never take the slots and the memory of
the others.
"""

import time
from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

from gateway_service.servicer.bodies import Bodies
from shared.rpc.admission import Admission

KNOWN_SECONDS = 600.0
"""How long a key is known after it was valid. A revoked key is forgotten at its next request."""
MAX_KNOWN = 10_000
"""Maximum number of keys that are known."""


class Lane(NamedTuple):
    """What the requests of a lane share: the slots to be handled, and the memory for bodies."""

    admission: Admission
    bodies: Bodies


class Lanes:
    """Chooses the lane of a request: `signed` for webhooks, and for others by their header `Authorization`.

    With `open_to_all`, those that need no signature are all in the wide one.
    """

    def __init__(self, wide: Lane, narrow: Lane, signed: Lane, *, open_to_all: bool) -> None:
        self._wide = wide
        self._narrow = narrow
        self._signed = signed
        self._is_open = open_to_all
        self._known: dict[bytes, float] = {}

    def lane(self, headers: Mapping[str, str], *, is_signed: bool = False) -> Lane:
        """Returns the lane of a request."""
        if is_signed:
            return self._signed
        valid_until = self._known.get(_digest(headers), 0.0)
        return self._wide if self._is_open or valid_until > time.monotonic() else self._narrow

    def note(self, headers: Mapping[str, str], *, is_valid: bool) -> None:
        """Notes whether the key of a request was valid."""
        digest = _digest(headers)
        self._known.pop(digest, None)
        if is_valid and "authorization" in headers:
            self._known[digest] = time.monotonic() + KNOWN_SECONDS
        if len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]


def _digest(headers: Mapping[str, str]) -> bytes:
    return blake2b(headers.get("authorization", "").encode(), digest_size=16).digest()
