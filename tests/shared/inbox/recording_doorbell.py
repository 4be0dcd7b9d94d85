"""A doorbell that records its rings."""

from collections.abc import Iterable

from shared.inbox.broker import DoorbellBroker
from shared.inbox.doorbell import Doorbell


class RecordingDoorbell(Doorbell):
    """A doorbell that records the partitions of each ring."""

    def __init__(self, broker: DoorbellBroker, inbox: str) -> None:
        super().__init__(broker, inbox)
        self.rings: list[list[int]] = []

    def ring(self, partitions: Iterable[int]) -> None:
        """Rings, and records the ring if it has any partition."""
        asked = list(partitions)
        if asked:
            self.rings.append(asked)
        super().ring(asked)
