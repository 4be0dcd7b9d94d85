"""Sends the spans of this process while it runs.

Guarantee: spans are sent by a thread of their own, in batches, and dropped while there are too many of them. The end of
the block waits for the last ones for `FLUSH_SECONDS` at most.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from shared import logs
from shared.traces import spans
from shared.traces.environment import endpoint

_LOG = logs.get(__name__)


@contextmanager
def exporting_traces(name: str) -> Iterator[None]:
    """Sends the spans of the block if `OTEL_EXPORTER_OTLP_ENDPOINT` names a receiver; `name` is that of the process.

    Servers decide which traces are recorded (`shared.traces.sampling`); what workers do belongs to these. Call it after
    a process has forked.

    Raises:
        StartupError: A variable of OpenTelemetry is wrong.
    """
    variable = endpoint(os.environ)
    if not variable:
        yield
        return
    try:
        from shared.traces.sending import sending
    except ImportError as error:
        advice = f"install leadscore[traces], or unset {variable}"
        _LOG.warning("traces are off", missing=error.name, advice=advice)
        yield
        return
    with sending(name) as tracer:
        spans.use(tracer)
        try:
            yield
        finally:
            spans.use(None)
