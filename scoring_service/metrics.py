"""What the scoring service alone measures: workers count, and servers show what they read from the database."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from prometheus_client import REGISTRY, Counter, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shared.contracts.events import CONTRACT
from shared.metrics.inboxes import DrainMeter, waiting
from shared.metrics.readings import gauge

DRAINS = DrainMeter(CONTRACT.collection)
LATE_EVENTS = Counter(
    "leadscore_late_events",
    "Scored events that belong before what their lead's score already included, so that a part of it was replayed.",
)
HELPER_FAILURES = Counter(
    "leadscore_helper_failures", "Helper processes that ended while they worked, for example for lack of memory."
)


class Helpers(Collector):
    """Shows the helper processes that a server has at the time of a scrape, which have no page of their own."""

    def __init__(self, pids: Callable[[], Sequence[int]]) -> None:
        self._pids = pids

    def collect(self) -> Iterable[Metric]:
        """Returns the gauges; called by the thread of a scrape."""
        pids = self._pids()
        yield gauge("leadscore_helper_processes", "Helper processes that this server has.", len(pids))
        yield gauge(
            "leadscore_helper_resident_memory_bytes",
            "Resident memory of these processes together; what they share counts for each of them.",
            sum(map(_resident_bytes, pids)),
        )

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Shows them while the block runs."""
        REGISTRY.register(self)
        try:
            yield
        finally:
            REGISTRY.unregister(self)


class Reading(NamedTuple):
    """What a server reads from the database at a time.

    Attributes:
        pending: Events that are not scored yet.
        oldest: When the oldest of them was accepted; None if there are none.
        parked: Parked events.
        stopped: Whether a drain has stopped because many events failed with the same error.
        decayed_through: The midnight of the last date through which every lead is decayed; None if there is none.
        decay_lag_days: Dates since then, up to today; 0 if the model has no decay.
        model_version: The version of the model in force.
        rollout_leads: About how many leads workers still have to go through for the last publication.
    """

    pending: int
    oldest: datetime | None
    parked: int
    stopped: bool
    decayed_through: datetime | None
    decay_lag_days: int
    model_version: int
    rollout_leads: int


def gauges(reading: Reading, now: datetime) -> Iterator[Metric]:
    """Returns the gauges of a reading."""
    yield from waiting(
        CONTRACT.collection, reading.pending, reading.oldest, now, parked=reading.parked, stopped=reading.stopped
    )
    if reading.decayed_through is not None:
        yield gauge(
            "leadscore_decayed_through_timestamp_seconds",
            "The last date through which every partition is decayed, as the Unix time at which it began.",
            reading.decayed_through.timestamp(),
        )
    yield gauge(
        "leadscore_decay_lag_days", "Dates that decay is behind; 0 if the model has none.", reading.decay_lag_days
    )
    yield gauge("leadscore_model_version", "The version of the model in force.", reading.model_version)
    yield gauge(
        "leadscore_rollout_leads_left",
        "About how many leads workers still have to go through for the last publication.",
        reading.rollout_leads,
    )


def _resident_bytes(pid: int) -> float:
    """Returns the resident memory of a process; 0 if it has ended, or where there is no `/proc`."""
    found = ProcessCollector(pid=lambda: pid, registry=None).collect()
    return sum(metric.samples[0].value for metric in found if metric.name == "process_resident_memory_bytes")
