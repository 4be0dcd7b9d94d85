"""Each call is a span of its caller's trace, and what it calls and logs belongs to the same trace."""

from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.rpc.channels import connect
from shared.settings import CallerSettings, load
from shared.traces.current import TRACEPARENT, add_ids, recorded, within
from testkit.serving import listening
from tests.shared.rpc.running_server import opened
from tests.shared.rpc.teapot import NAME, POUR, STREAM, Empty, Kitchen, Teapot
from tests.shared.traces.recording import PARENT, SPAN_ID, TRACE_ID, UNRECORDED, has_failed, named, traceparent

POUR_SPAN, STREAM_SPAN = f"{NAME}/Pour", f"{NAME}/Stream"


async def call(channel: grpc.aio.Channel, method: str, tea: str, *metadata: tuple[str, str]) -> list[str]:
    codecs = (StringValue.SerializeToString, StringValue.FromString)
    if method == STREAM:
        return [
            each.value
            async for each in channel.unary_stream(method, *codecs)(StringValue(value=tea), metadata=metadata)
        ]
    answer: StringValue = await channel.unary_unary(method, *codecs)(StringValue(value=tea), metadata=metadata)
    return [answer.value]


@pytest.mark.parametrize(("method", "span"), [(POUR, POUR_SPAN), (STREAM, STREAM_SPAN)])
async def test_a_call_is_a_span_of_the_trace_of_its_caller(
    finished: InMemorySpanExporter, method: str, span: str
) -> None:
    seen: list[str] = []

    async def note(tea: str) -> str:
        seen.append(recorded())
        return tea

    async with opened(note) as channel:
        assert await call(channel, method, "tea", ("traceparent", PARENT)) == ["tea"]
    [ended] = named(finished, span)
    assert traceparent(ended.parent) == PARENT
    assert seen == [traceparent(ended.context)]
    assert dict(ended.attributes or {}) == {
        "rpc.system.name": "grpc",
        "rpc.method": span,
        "rpc.response.status_code": "OK",
    }


@pytest.mark.parametrize(
    "header", [(), (("traceparent", "nonsense"),), (("traceparent", f"00-{'0' * 32}-{SPAN_ID}-01"),)]
)
async def test_without_a_valid_parent_a_call_begins_a_trace(finished: InMemorySpanExporter, header: Any) -> None:
    async with opened(Kitchen().pour) as channel:
        await call(channel, POUR, "tea", *header)
    [ended] = named(finished, POUR_SPAN)
    assert ended.parent is None


async def test_a_trace_that_its_caller_does_not_record_is_passed_on_and_not_recorded(
    finished: InMemorySpanExporter,
) -> None:
    seen: list[tuple[str, str]] = []

    async def note(tea: str) -> str:
        seen.append((TRACEPARENT.get(), recorded()))
        return tea

    async with opened(note) as channel:
        await call(channel, POUR, "tea", ("traceparent", UNRECORDED))
    assert not finished.get_finished_spans()
    [(passed_on, kept)] = seen
    assert passed_on.startswith(f"00-{TRACE_ID}-")
    assert passed_on.endswith("-00")
    assert kept == ""


@pytest.mark.parametrize(
    ("error", "code", "is_fault"),
    [(Empty("there is no tea"), "FAILED_PRECONDITION", False), (ZeroDivisionError("secret"), "INTERNAL", True)],
)
@pytest.mark.parametrize(("method", "span"), [(POUR, POUR_SPAN), (STREAM, STREAM_SPAN)])
async def test_a_failed_call_has_its_code_and_only_faults_of_the_server_are_errors(
    finished: InMemorySpanExporter, error: Exception, code: str, is_fault: bool, method: str, span: str
) -> None:
    async with opened(Kitchen(error).pour) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await call(channel, method, "tea")
    [ended] = named(finished, span)
    attributes = ended.attributes or {}
    assert attributes["rpc.response.status_code"] == code
    assert attributes.get("error.type") == (code if is_fault else None)
    assert has_failed(ended) == is_fault
    assert not ended.events, "a span must not show the text of an error"
    assert ended.status.description is None


async def test_a_service_that_is_called_continues_the_trace(finished: InMemorySpanExporter) -> None:
    async with (
        listening({}, Teapot(Kitchen().pour).register) as port,
        connect(f"127.0.0.1:{port}", load(CallerSettings)) as inner,
    ):

        async def ask(tea: str) -> str:
            [answer] = await call(inner, POUR, tea)
            return answer

        async with opened(ask) as outer:
            await call(outer, STREAM, "tea", ("traceparent", PARENT))
    [first], [second] = named(finished, STREAM_SPAN), named(finished, POUR_SPAN)
    assert traceparent(second.parent) == traceparent(first.context)


async def test_without_traces_no_call_has_one() -> None:
    seen: list[str] = []

    async def note(tea: str) -> str:
        seen.append(TRACEPARENT.get())
        return tea

    async with opened(note) as channel:
        await call(channel, POUR, "tea", ("traceparent", PARENT))
    assert seen == [""]


def test_log_lines_have_the_ids_of_the_current_span() -> None:
    with within(PARENT):
        assert add_ids(None, "info", {"event": "poured"}) == {
            "event": "poured",
            "trace_id": TRACE_ID,
            "span_id": SPAN_ID,
        }
    assert add_ids(None, "info", {"event": "poured"}) == {"event": "poured"}
