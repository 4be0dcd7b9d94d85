"""Gauges that are read from the database.

Guarantee: a scrape shows the last reading and reads nothing itself. Readings take at most 5 % of the time, so they do
not load a database that is behind. Without a reading the gauges are missing; while none succeeds, its age grows.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Generic, TypeVar

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shared import logs
from shared.deadlines import deadline
from shared.settings import MetricsSettings
from shared.tasks import is_cancelled

MAX_SECONDS = 10.0
"""Longest duration of a reading."""
PAUSE_FACTOR = 19
"""A reading is followed by a pause of at least this many times its duration."""

R = TypeVar("R")
_LOG = logs.get(__name__)


class Readings(Collector, Generic[R]):
    """Shows the last value of `read`, as `show` turns it into gauges for the time of a scrape. `run()` must be running.

    `source` says in the label of the age what is read.
    """

    def __init__(
        self, source: str, read: Callable[[], Awaitable[R]], show: Callable[[R, datetime], Iterable[Metric]]
    ) -> None:
        self._source = source
        self._read = read
        self._show = show
        self._last: tuple[R, float] | None = None

    def collect(self) -> Iterable[Metric]:
        """Returns the gauges; called by the thread of a scrape."""
        last = self._last
        if last is not None:
            reading, read_time = last
            yield from self._show(reading, datetime.now(UTC))
            yield reading_age(self._source, time.monotonic() - read_time)

    async def run(self, settings: MetricsSettings) -> None:
        """Reads every `metrics_seconds`, or less often if that takes long, until it is cancelled.

        Without a page that shows it, nothing is read.
        """
        REGISTRY.register(self)
        try:
            while not is_cancelled():
                started = time.monotonic()
                if settings.metrics_port:
                    await self.refresh()
                await asyncio.sleep(max(settings.metrics_seconds, PAUSE_FACTOR * (time.monotonic() - started)))
        finally:
            REGISTRY.unregister(self)

    async def refresh(self) -> None:
        """Reads once; keeps the last reading if that fails."""
        try:
            with deadline(MAX_SECONDS):
                self._last = await self._read(), time.monotonic()
        except Exception as error:  # noqa: BLE001 (metrics stop nothing)
            _LOG.warning("metrics not read", source=self._source, error=logs.one_line(error))


def reading_age(source: str, seconds: float) -> Metric:
    """Returns the gauge of the time since the last reading."""
    return gauge(
        "leadscore_reading_age_seconds",
        "Time since this server last read from the database what its gauges show.",
        seconds,
        source=source,
    )


def gauge(name: str, meaning: str, value: float, **labels: str) -> Metric:
    """Returns a gauge with one value."""
    family = GaugeMetricFamily(name, meaning, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def age(since: datetime | None, now: datetime) -> float:
    """Returns the seconds since a time; 0 for None, and for a time that is ahead."""
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
