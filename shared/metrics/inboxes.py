"""What servers and workers measure of an inbox: how it is drained, and what waits in it."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import Metric

from shared.metrics.readings import age, gauge

ITEMS = Histogram(
    "leadscore_drain_items",
    "Events or changes that one drain processed.",
    ["inbox"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
)
SECONDS = Histogram(
    "leadscore_drain_duration_seconds",
    "Duration of a drain, with its reads and all attempts at its transaction.",
    ["inbox"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
FAILURES = Counter(
    "leadscore_drain_failures", "Drains that failed; their rows stay pending and are tried again.", ["inbox"]
)
ROW_FAILURES = Counter(
    "leadscore_row_failures", "Attempts at an isolated row that failed through its own fault.", ["inbox"]
)


class DrainMeter:
    """Measures the drains of one inbox."""

    def __init__(self, inbox: str) -> None:
        self._items = ITEMS.labels(inbox).observe
        self._seconds = SECONDS.labels(inbox).observe

    def done(self, items: int, seconds: float) -> None:
        """Records a drain that processed items."""
        self._items(items)
        self._seconds(seconds)


def waiting(
    inbox: str, items: int, oldest: datetime | None, now: datetime, *, parked: int, stopped: bool
) -> Iterator[Metric]:
    """Returns the gauges of what waits in an inbox; `oldest` is when the oldest item was accepted."""
    yield gauge("leadscore_inbox_pending", "Events or changes that wait in an inbox.", items, inbox=inbox)
    yield gauge(
        "leadscore_inbox_oldest_pending_age_seconds",
        "Time since the oldest event or change that waits in an inbox was accepted; 0 if none waits.",
        age(oldest, now),
        inbox=inbox,
    )
    yield gauge("leadscore_inbox_parked", "Parked events or changes.", parked, inbox=inbox)
    yield gauge(
        "leadscore_inbox_drain_stopped",
        "1 if a drain has stopped because many rows failed with the same error, else 0.",
        stopped,
        inbox=inbox,
    )
