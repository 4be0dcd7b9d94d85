"""The figures of a model's health for Prometheus, as a file that its node exporter reads (the textfile collector)."""

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from cli.health.findings import Finding
from cli.terminal.connection import CommandError

REGISTRY = CollectorRegistry()
"""Of its own, because the file is to hold nothing about the process that writes it."""
LEVEL = Gauge(
    "leadscore_model_health_level",
    "What was found about the model: 0 ok, 1 warning, 2 critical; missing if too little is known.",
    ["check"],
    registry=REGISTRY,
)
CHECKED = Gauge(
    "leadscore_model_health_timestamp_seconds", "When the model was last checked, as a Unix time.", registry=REGISTRY
)


def write_metrics(file: Path, findings: Iterable[Finding]) -> None:
    """Replaces the file as a whole, so that nobody reads half of it.

    Raises:
        CommandError: The file cannot be written.
    """
    for each in findings:
        if each.is_known:
            LEVEL.labels(each.subject).set(each.level)
    CHECKED.set_to_current_time()
    try:
        write_to_textfile(str(file), REGISTRY)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from None
