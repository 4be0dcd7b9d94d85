"""Work on many items in portions: a portion that fails is halved until the failing item is alone.

Guarantee: if only some items fail, all others end up in portions that succeed. A failure that smaller portions would
not avoid, because the environment caused it, halves nothing.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from shared.mongo import is_timeout
from shared.rpc.errors import is_transient

T = TypeVar("T")


class Portions(Generic[T]):
    """Hands out items in portions of at most `limit`, in order."""

    def __init__(self, items: Sequence[T], limit: int) -> None:
        self._items = items
        self._limit = limit
        self._sizes: list[int] = []  # of the halves that are left, the next one last

    def next(self) -> Sequence[T]:
        """Returns the portion to work on, always the same one until `done` or `halve`; empty when none is left."""
        return self._items[: self._sizes[-1] if self._sizes else self._limit]

    def done(self, left: Sequence[T] = ()) -> None:
        """Ends a portion; the next one begins with the items in `left`."""
        self._items = [*left, *self._items[len(self.next()) :]]
        del self._sizes[-1:]

    def halve(self, error: Exception) -> bool:
        """Halves a portion that failed; returns False if it cannot be halved, or if this would not help."""
        size = len(self.next())
        if size < 2 or not may_be_of_size(error):
            return False
        self._sizes[-1:] = [size - size // 2, size // 2]
        return True


def may_be_of_size(error: Exception) -> bool:
    """Returns whether fewer items may succeed; also after a time-out, because they may exceed one transaction."""
    return not is_transient(error) or is_timeout(error)
