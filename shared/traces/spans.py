"""The spans of what a process does, if it sends traces; otherwise the blocks just run.

`export.exporting_traces` sets the tracer of the process.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

from shared.traces.current import within

if TYPE_CHECKING:
    from shared.traces.tracer import Tracer

Attributes: TypeAlias = dict[str, str | int]
"""What a span says about itself: no ids and no properties of leads and events."""
ERROR = "error.type"
"""The attribute of a span that has failed: what went wrong."""

_tracer: "Tracer | None" = None


class Kind(Enum):
    """What a span stands for: a call of another system, the processing of messages, or anything else."""

    CLIENT = auto()
    CONSUMER = auto()
    INTERNAL = auto()


def tracer() -> "Tracer | None":
    """Returns the tracer of this process; None if it sends no traces."""
    return _tracer


def use(tracer: "Tracer | None") -> None:
    """Sets the tracer of this process."""
    global _tracer  # like the root logger, it belongs to the process
    _tracer = tracer


@contextmanager
def serving(name: str, headers: Mapping[str, str], attributes: Attributes) -> Iterator[None]:
    """Makes the block a span of the trace that the headers of a request name, or of a new one.

    `attributes` are read when the block ends.
    """
    tracer = _tracer
    if tracer is None:
        yield
        return
    span, traceparent = tracer.serve(name, headers)
    try:
        with within(traceparent):
            yield
    finally:
        if span is not None:
            tracer.finish(span, attributes)


@contextmanager
def working(
    name: str, parent: str, attributes: Attributes, *, kind: Kind = Kind.INTERNAL, seconds: float = 0.0
) -> Iterator[None]:
    """Makes the block a span of the trace of `parent`, a traceparent, that began `seconds` before.

    `attributes` are read when the block ends. Without a parent there is no span. If this process sends no traces, the
    block works for the parent, so that what it calls continues the trace.
    """
    if _tracer is None or not parent:
        with within(parent):
            yield
        return
    with _tracer.span(name, kind, parent, attributes, seconds=seconds) as span, within(span):
        yield
