"""How many attempts each endpoint may have in flight.

Guarantee: one slow or failing endpoint cannot use up the capacity of a worker.
"""

from collections import Counter
from collections.abc import Iterable

from automation_service.ports import Due

IN_FLIGHT = 128
"""Attempts that a worker has in flight at a time."""
PER_ENDPOINT = 12
"""Of these, attempts at one healthy endpoint."""
PER_FAILING_ENDPOINT = 2
"""Of these, attempts at one endpoint whose last attempt failed."""
MAX_FAILING_ENDPOINTS = 10_000
"""Failing endpoints that are remembered."""


class Endpoints:
    """Counts the attempts in flight by endpoint, and remembers which endpoints are failing."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()
        self._failing: dict[str, None] = {}

    def begin(self, endpoint: str) -> None:
        """Records that an attempt begins."""
        self._in_flight[endpoint] += 1

    def end(self, endpoint: str, *, failed: bool) -> None:
        """Records that an attempt has ended."""
        self._in_flight[endpoint] -= 1
        self._in_flight += Counter()  # removes the endpoints whose count is zero
        self._failing.pop(endpoint, None)
        if failed:
            self._failing[endpoint] = None
            if len(self._failing) > MAX_FAILING_ENDPOINTS:
                del self._failing[next(iter(self._failing))]

    def free(self) -> int:
        """Returns how many more attempts may begin."""
        return IN_FLIGHT - self._in_flight.total()

    def busy(self) -> list[str]:
        """Returns the endpoints at which no more attempts may begin."""
        return [endpoint for endpoint, count in self._in_flight.items() if count >= self._limit(endpoint)]

    def admit(self, due: Iterable[Due]) -> list[Due]:
        """Returns the deliveries that may begin, in the given order."""
        admitted: list[Due] = []
        in_flight = self._in_flight.copy()
        for each in due:
            if in_flight.total() < IN_FLIGHT and in_flight[each.endpoint] < self._limit(each.endpoint):
                in_flight[each.endpoint] += 1
                admitted.append(each)
        return admitted

    def _limit(self, endpoint: str) -> int:
        return PER_FAILING_ENDPOINT if endpoint in self._failing else PER_ENDPOINT
