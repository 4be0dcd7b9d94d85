"""The dependencies of the use cases that tests replace; stores are used directly."""

from collections.abc import Iterable
from typing import Protocol


class Doorbell(Protocol):
    """Rings for the partitions of automation's inbox in which new rows are pending."""

    def ring(self, partitions: Iterable[int]) -> None:
        """Rings for these partitions; never blocks, never raises."""
