"""Records the spans of this process, and what tests look at in them."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, StatusCode

from shared.traces import spans
from shared.traces.sampling import Sampling
from shared.traces.tracer import Tracer

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
UNRECORDED = f"00-{TRACE_ID}-{SPAN_ID}-00"


@contextmanager
def recording() -> Iterator[InMemorySpanExporter]:
    """Makes this process record spans, and yields what keeps those that have ended."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans.use(Tracer(provider, Sampling({})))
    try:
        yield exporter
    finally:
        spans.use(None)


def parent_of(number: int) -> str:
    """Returns the traceparent of a span of a trace of its own."""
    return f"00-{number:032x}-{number:016x}-01"


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    """Returns the spans of a name that have ended."""
    return [span for span in exporter.get_finished_spans() if span.name == name]


def traceparent(context: SpanContext | None) -> str:
    """Returns the traceparent of a span, without random flags; an empty text for none."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}" if context else ""


def has_failed(span: ReadableSpan) -> bool:
    """Returns whether a span has the status of an error."""
    return span.status.status_code is StatusCode.ERROR
