"""Fixtures of the tests of traces."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.shared.traces.recording import recording


@pytest.fixture
def finished() -> Iterator[InMemorySpanExporter]:
    """The spans of this process that have ended."""
    with recording() as exporter:
        yield exporter
