"""A drain is linked with the items that it took, and each of their traces shows it."""

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.traces import drains, spans
from shared.traces.current import TRACEPARENT, recorded
from tests.shared.traces.recording import PARENT, has_failed, named, parent_of, traceparent

DRAIN, PROCESS = "drain events", "process events"


def test_a_drain_has_links_to_its_items_and_their_traces_a_span_that_links_back(finished: InMemorySpanExporter) -> None:
    parents = [parent_of(1), parent_of(2), parent_of(2)]
    with drains.span("events", 7, parents, seconds=0.5):
        current = recorded()
    [drain], processed = named(finished, DRAIN), named(finished, PROCESS)
    assert drain.parent is None
    assert traceparent(drain.context) == current[:-2] + "01"
    assert [traceparent(link.context) for link in drain.links] == [parent_of(1), parent_of(2)]
    assert {traceparent(span.parent) for span in processed} == {parent_of(1), parent_of(2)}
    for span in processed:
        assert [traceparent(link.context) for link in span.links] == [traceparent(drain.context)]
    counts = {traceparent(span.parent): (span.attributes or {})["messaging.batch.message_count"] for span in processed}
    assert counts == {parent_of(1): 1, parent_of(2): 2}
    assert (drain.attributes or {})["messaging.batch.message_count"] == 7
    for span in (drain, *processed):
        assert span.start_time
        assert span.end_time
        assert span.end_time - span.start_time >= 500_000_000


def test_a_drain_has_no_more_links_than_it_may(finished: InMemorySpanExporter) -> None:
    parents = [parent_of(number) for number in range(1, drains.MAX_LINKS + 50)]
    with drains.span("events", len(parents), parents):
        pass
    [drain] = named(finished, DRAIN)
    assert len(drain.links) == drains.MAX_LINKS
    assert len(named(finished, PROCESS)) == len(parents)


def test_a_drain_that_fails_is_an_error_in_every_trace(finished: InMemorySpanExporter) -> None:
    with pytest.raises(ZeroDivisionError), drains.span("events", 1, [PARENT]):
        raise ZeroDivisionError("of no use")
    ended = finished.get_finished_spans()
    assert [span.name for span in ended] == [PROCESS, DRAIN]
    assert all(has_failed(span) and (span.attributes or {})["error.type"] == "ZeroDivisionError" for span in ended)


def test_a_drain_without_recorded_items_is_no_span(finished: InMemorySpanExporter) -> None:
    with drains.span("events", 3, []):
        assert TRACEPARENT.get() == ""
    assert not finished.get_finished_spans()


def test_a_damaged_traceparent_harms_nothing(finished: InMemorySpanExporter) -> None:
    with drains.span("events", 2, ["nonsense", PARENT]):
        pass
    [drain] = named(finished, DRAIN)
    assert PARENT in [traceparent(link.context) for link in drain.links]
    assert len(named(finished, PROCESS)) == 2


def test_without_traces_what_continues_a_trace_passes_it_on() -> None:
    with drains.span("events", 1, [PARENT]):
        assert TRACEPARENT.get() == ""
    with spans.working("deliver webhook", PARENT, {}):
        assert recorded() == PARENT
    assert TRACEPARENT.get() == ""
