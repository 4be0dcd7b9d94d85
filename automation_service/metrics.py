"""What the automation service alone measures: workers count, and servers show what they read from the database."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import Metric

from automation_service.usecases.backlog import Backlog
from shared.contracts.score_changes import CONTRACT
from shared.metrics.inboxes import DrainMeter, waiting
from shared.metrics.readings import age, gauge

DRAINS = DrainMeter(CONTRACT.collection)
EXECUTIONS = Counter("leadscore_executions", "Executions that were recorded.")
ATTEMPTS = Histogram(
    "leadscore_delivery_attempt_duration_seconds",
    "Duration of attempts at deliveries, by the kind of receiver and what became of the attempt.",
    ["receiver", "outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0),
)
DELIVERIES = Counter("leadscore_deliveries", "Deliveries that have ended, by outcome.", ["receiver", "outcome"])


def gauges(backlog: Backlog, now: datetime) -> Iterator[Metric]:
    """Returns the gauges of a backlog."""
    yield from waiting(
        CONTRACT.collection,
        backlog.pending_changes,
        backlog.oldest_change_time,
        now,
        parked=backlog.parked_changes,
        stopped=backlog.stopped is not None,
    )
    yield gauge("leadscore_deliveries_due", "Deliveries whose next attempt is due.", backlog.due_deliveries)
    yield gauge(
        "leadscore_deliveries_oldest_due_age_seconds",
        "Time since the oldest of these became due; 0 if there is none.",
        age(backlog.oldest_due_time, now),
    )
    yield gauge(
        "leadscore_deliveries_held", "1 while deliveries are held, so that nothing is sent.", backlog.hold is not None
    )
    yield gauge(
        "leadscore_executions_failed",
        "Executions with a failed delivery, which wait until someone retries them.",
        backlog.failed_executions,
    )
