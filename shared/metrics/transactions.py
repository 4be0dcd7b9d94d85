"""What a process measures of its transactions."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter

RETRIES = Counter(
    "leadscore_transaction_retries",
    "Transactions that ran again from the start, by the reason why the attempt before did not commit.",
    ["reason"],
)
_WRITE_CONFLICT = 112
"""The code of MongoDB's error."""


class Attempts:
    """Counts the attempts at one transaction. Every attempt but the first is a retry."""

    def __init__(self) -> None:
        self.count = 0
        self._reason = ""

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Counts an attempt, whose body is the block."""
        if self.count:
            RETRIES.labels(self._reason).inc()
        self.count += 1
        self._reason = "commit"  # unless the block fails, it is the commit that did
        try:
            yield
        except Exception as error:
            self._reason = "write_conflict" if getattr(error, "code", None) == _WRITE_CONFLICT else "other"
            raise
