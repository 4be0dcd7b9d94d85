"""Spans as OpenTelemetry's library makes them. Only processes that send traces import this module."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.traces.sampling import Sampling
from shared.traces.spans import ERROR, Attributes, Kind

_KINDS = {Kind.CLIENT: SpanKind.CLIENT, Kind.CONSUMER: SpanKind.CONSUMER, Kind.INTERNAL: SpanKind.INTERNAL}
_NO_PARENT = Context()
_extract = TraceContextTextMapPropagator().extract


class Tracer:
    """Starts and ends the spans of a process; the `provider` records each of them."""

    def __init__(self, provider: TracerProvider, sampling: Sampling) -> None:
        self._start = provider.get_tracer("leadscore").start_span
        self._sampling = sampling

    def serve(self, name: str, headers: Mapping[str, str]) -> tuple[Span | None, str]:
        """Starts the span of a call with these headers, in the trace of its caller or a new one; `finish` ends it.

        Returns it with its traceparent, or None if the trace is not recorded, with the traceparent to pass on.
        """
        is_recorded, passed_on = self._sampling.decide(headers.get("traceparent", ""))
        if not is_recorded:
            return None, passed_on
        span = self._start(name, _extract(headers, _NO_PARENT), SpanKind.SERVER)
        return span, _traceparent_of(span)

    def finish(self, span: Span, attributes: Attributes) -> None:
        """Ends a span, with its attributes. One with the attribute `ERROR` has failed."""
        span.set_attributes(attributes)
        if ERROR in attributes:
            span.set_status(StatusCode.ERROR)
        span.end()

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind,
        parent: str,
        attributes: Attributes,
        *,
        links: Iterable[str] = (),
        seconds: float = 0.0,
    ) -> Iterator[str]:
        """Yields the traceparent of a span that lasts as long as the block, and began `seconds` before it.

        Without a parent it begins a trace. Its attributes are read when the block ends.
        """
        linked = [Link(get_current_span(_context(each)).get_span_context()) for each in links]
        started = time.time_ns() - round(seconds * 1e9)
        span = self._start(name, _context(parent), _KINDS[kind], links=linked, start_time=started)
        try:
            yield _traceparent_of(span)
        except BaseException as error:
            attributes[ERROR] = type(error).__qualname__
            raise
        finally:
            self.finish(span, attributes)


def _traceparent_of(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _context(traceparent: str) -> Context:
    return _extract({"traceparent": traceparent}) if traceparent else _NO_PARENT
