"""What the scoring service alone measures: workers count, and servers show what they read from the database."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from prometheus_client import Counter
from prometheus_client.metrics_core import Metric

from shared.contracts.events import CONTRACT
from shared.metrics.inboxes import DrainMeter, waiting
from shared.metrics.readings import gauge

DRAINS = DrainMeter(CONTRACT.collection)
LATE_EVENTS = Counter(
    "leadscore_late_events",
    "Scored events that belong before what their lead's score already included, so that a part of it was replayed.",
)


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
