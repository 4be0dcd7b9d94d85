"""Every metric that a process of leadscore can show."""

import importlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

import automation_service.metrics
import cli.health.metrics
import scoring_service.metrics
from automation_service.usecases.backlog import Backlog
from scoring_service.metrics import Reading
from shared.metrics.readings import reading_age

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 31, tzinfo=UTC)
READING = Reading(
    pending=1,
    oldest=NOW,
    parked=0,
    stopped=False,
    decayed_through=NOW,
    decay_lag_days=0,
    model_version=1,
    rollout_leads=0,
)
BACKLOG = Backlog(1, NOW, 0, 1, NOW, 0, (), None, None)
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}


def metrics() -> list[Metric]:
    """Returns our metrics by their definitions, without those of the library about Python and the process."""
    for path in [*ROOT.glob("*_service/metrics.py"), *ROOT.glob("shared/metrics/*.py")]:
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    counted = [each for each in REGISTRY.collect() if not each.name.startswith(("process_", "python_"))]
    return sorted([*counted, *_read(), *cli.health.metrics.REGISTRY.collect()], key=lambda each: each.name)


def names() -> set[str]:
    """Returns the names of all series, those of the library included."""
    of_the_library = {sample.name for each in REGISTRY.collect() for sample in each.samples}
    return {each.name + suffix for each in metrics() for suffix in SUFFIXES[each.type]} | of_the_library


def shown_name(metric: Metric) -> str:
    """Returns the name of a metric as queries and the documentation have it."""
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def labels(metric: Metric) -> set[str]:
    """Returns the labels of a metric."""
    collectors = REGISTRY._names_to_collectors | cli.health.metrics.REGISTRY._names_to_collectors
    collector = collectors.get(metric.name)
    defined = getattr(collector, "_labelnames", ())
    return {*defined} or {label for sample in metric.samples for label in sample.labels if label != "le"}


def _read() -> Iterator[Metric]:
    """Yields the metrics that servers read from the database; those of an inbox come once."""
    scoring = scoring_service.metrics.gauges(READING, NOW)
    automation = automation_service.metrics.gauges(BACKLOG, NOW)
    helpers = scoring_service.metrics.Helpers(list).collect()
    found = {each.name: each for each in (*scoring, *automation, *helpers, reading_age("scoring", 1.0))}
    yield from found.values()
