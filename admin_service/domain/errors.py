"""Errors that callers see.

KeyNotFound, KeyRevoked      the key does not exist, or has been revoked
KeyExists                    a request id has made a key already
"""


class KeyNotFound(Exception):
    """No key has this id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"key {key_id!r} does not exist; an id has 12 letters and digits")


class KeyRevoked(Exception):
    """The key is revoked, so nothing can take its place."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"key {key_id!r} is revoked; create a new one")


class KeyExists(Exception):
    """A call with the same request id has made a key, whose text cannot be returned again."""

    field = "request_id"

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"request_id: has made key {key_id!r} already, and its text is not stored; if the answer was lost, revoke "
            "that key and use another request id"
        )
        self.metadata = {"key_id": key_id}
