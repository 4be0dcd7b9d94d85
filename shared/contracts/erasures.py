"""The rows of `erasures` and `erased_events`: which leads and events were erased, from the admin service to ingest.

Guarantee: no row contains the id of a lead or of an event. What stands for an id is a digest of it with the key of the
database, so that nobody can confirm a guess without the key.

A row of `erasures` has the digest of the request id as its `_id`, the digest of the lead's id in `lead`, a `state`, and
the `change_time` of that state. A row of `erased_events` has the digest of an event's id as its `_id`.
"""

import hashlib
from enum import StrEnum

ERASURES, ERASED_EVENTS = "erasures", "erased_events"
KEY_ROW = {"_id": ERASURES}
"""The row of `deployment` that holds the `key` of the digests."""
KEY_BYTES = 32
DIGEST_BYTES = 16


class ErasureState(StrEnum):
    """The state of an erasure. Events that arrive while it is `ERASING` are erased, too."""

    ERASING = "erasing"
    DONE = "done"


class Digests:
    """Makes the digests of one database from its key. Ids of leads, events and requests have different digests."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @property
    def key_id(self) -> bytes:
        """Identifies the key, 16 bytes, and says nothing about it."""
        return self._digest("", b"key")

    def of_lead(self, lead_id: str) -> bytes:
        """Returns the digest of the id of a lead, 16 bytes."""
        return self._digest(lead_id, b"lead")

    def of_event(self, event_id: str) -> bytes:
        """Returns the digest of the id of an event, 16 bytes."""
        return self._digest(event_id, b"event")

    def of_request(self, request_id: str) -> bytes:
        """Returns the digest of the id of a request, 16 bytes."""
        return self._digest(request_id, b"request")

    def _digest(self, text: str, kind: bytes) -> bytes:
        return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES, key=self._key, person=kind).digest()
