"""The spans of drains."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice

from shared.traces import spans
from shared.traces.current import within
from shared.traces.spans import Attributes, Kind

MAX_LINKS = 128
"""Links of a drain; OpenTelemetry's library keeps no more by default."""


@contextmanager
def span(inbox: str, items: int, traceparents: Iterable[str], *, seconds: float = 0.0) -> Iterator[None]:
    """Makes the block the span of a drain that began `seconds` before, if the trace of one of its items is recorded.

    A drain takes items of many traces, so it has a trace of its own, with links to those of its items, as many as
    `MAX_LINKS` allows. The trace of each item gets the span `process <inbox>`, which is linked to the drain; items with
    one parent share it.

    `traceparents` are those of the recorded items.
    """
    tracer = spans.tracer()
    parents = Counter(traceparents if tracer else ())
    if tracer is None or not parents:
        yield
        return
    opened = partial(tracer.span, kind=Kind.CONSUMER, seconds=seconds)
    with ExitStack() as stack:
        links, about = islice(parents, MAX_LINKS), _about(inbox, items)
        drain = stack.enter_context(opened(f"drain {inbox}", parent="", attributes=about, links=links))
        for parent, count in parents.items():
            about = _about(inbox, count)
            stack.enter_context(opened(f"process {inbox}", parent=parent, attributes=about, links=[drain]))
        with within(drain):
            yield


def _about(inbox: str, items: int) -> Attributes:
    return {
        "messaging.system": "leadscore",
        "messaging.destination.name": inbox,
        "messaging.operation.type": "process",
        "messaging.batch.message_count": items,
    }
