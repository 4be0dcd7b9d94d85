"""The span that the current task works for, as a W3C `traceparent`: `00-<trace id>-<span id>-<flags>`.

Guarantee: tasks and threads that a task starts with its context work for the same span.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from structlog.typing import EventDict, WrappedLogger

TRACEPARENT: ContextVar[str] = ContextVar("traceparent", default="")
"""Empty if the task works for no span."""

_RECORDED = frozenset("13579bdf")
"""The last digits of flags that have the lowest bit."""


def recorded() -> str:
    """Returns the traceparent of the current span if its trace is recorded, and an empty text otherwise: for rows."""
    found = TRACEPARENT.get()
    return found if is_recorded(found) else ""


def is_recorded(traceparent: str) -> bool:
    """Returns whether the trace of a traceparent is recorded; False for an empty text."""
    return traceparent[-1:] in _RECORDED


@contextmanager
def within(traceparent: str) -> Iterator[None]:
    """Makes the block work for a span, or for none if the traceparent is empty."""
    token = TRACEPARENT.set(traceparent)
    try:
        yield
    finally:
        TRACEPARENT.reset(token)


def add_ids(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Adds the ids of the current span to a log line, under the names that OpenTelemetry gives them."""
    found = TRACEPARENT.get()
    if found:
        line["trace_id"], line["span_id"] = found[3:35], found[36:52]
    return line
