"""Sends spans by OTLP over HTTP. Only processes that send traces import this module."""

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from shared import logs
from shared.settings import StartupError
from shared.traces.sampling import Sampling
from shared.traces.tracer import Tracer

FLUSH_SECONDS = 2.0
"""Longest time to send the last spans when the process stops."""

_LOG = logs.get(__name__)


@contextmanager
def sending(name: str) -> Iterator[Tracer]:
    """Yields a tracer whose spans are sent; see `export.exporting_traces`."""
    provider = TracerProvider(ALWAYS_ON, _resource(name), shutdown_on_exit=False)
    try:
        provider.add_span_processor(BatchSpanProcessor(Exporter(OTLPSpanExporter())))
    except ValueError as error:
        raise StartupError(f"a variable of OpenTelemetry, OTEL_…, is wrong: {error}") from None
    try:
        yield Tracer(provider, Sampling(os.environ))
    finally:
        # The library would wait for half a minute for a receiver that is away.
        last = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
        last.start()
        last.join(FLUSH_SECONDS)


class Exporter(SpanExporter):
    """Logs once that spans cannot be sent, and once that they can again, where the library logs every attempt."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_failing = False
        logging.getLogger(OTLPSpanExporter.__module__).addFilter(_REASON)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends spans; they are lost if that fails."""
        _REASON.text = ""
        result = self._exporter.export(spans)
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing and not self._is_failing:
            _LOG.warning("traces not sent; they are lost until the receiver is back", reason=_REASON.text)
        elif self._is_failing and not is_failing:
            _LOG.info("traces are sent again")
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        """Sends no more."""
        self._exporter.shutdown()


class _Reason(logging.Filter):
    """Keeps the first text that the library's exporter logs, and lets none pass."""

    text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns False."""
        self.text = self.text or logs.cut(record.getMessage())
        return False


_REASON = _Reason()


def _resource(name: str) -> Resource:
    """Returns what identifies this process; what the environment says goes first."""
    ours = Resource.create({"service.namespace": "leadscore", "service.name": name})
    return ours.merge(OTELResourceDetector().detect())
