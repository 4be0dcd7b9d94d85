"""Traces are off unless the environment names a receiver, and one that is away stops nothing."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from structlog.testing import capture_logs

from cli.local.embedded import free_port
from shared.settings import ProcessSettings, StartupError, load
from shared.traces import sending, spans
from shared.traces.environment import endpoint
from shared.traces.export import exporting_traces
from testkit.collector import Collector, collecting
from tests.shared.traces.recording import PARENT

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv(ENDPOINT, running.url)
        yield running


def test_without_a_receiver_nothing_is_recorded_or_imported() -> None:
    program = (
        "import sys\n"
        "import gateway_service.app, ingest_service.app, scoring_service.app, automation_service.app\n"
        "from shared.traces import export, spans\n"
        "with export.exporting_traces('teapot'): assert spans.tracer() is None\n"
        "print(*(name for name in sys.modules if name.startswith(('opentelemetry.sdk.trace', 'opentelemetry.exp'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("\n", "")


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, ""),
        ({ENDPOINT: ""}, ""),
        ({ENDPOINT: "http://c:4318"}, ENDPOINT),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ({ENDPOINT: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, ""),
        ({ENDPOINT: "http://c:4318", "OTEL_TRACES_EXPORTER": "otlp"}, ENDPOINT),
        ({ENDPOINT: "http://c:4318", "OTEL_SDK_DISABLED": "true"}, ""),
    ],
)
def test_the_standard_variables_turn_traces_on_and_off(environment: dict[str, str], name: str) -> None:
    assert endpoint(environment) == name


def test_spans_are_sent_with_the_name_of_the_process_and_the_last_ones_at_its_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    with exporting_traces("leadscore.teapot"), spans.serving("pour", {}, {}):
        pass
    assert [(span.process, span.name, span.kind) for span in collector.spans] == [
        ("leadscore.teapot", "pour", "SERVER")
    ]


def test_the_environment_may_name_the_process_otherwise(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "teapot-of-berlin")
    with exporting_traces("leadscore.teapot"), spans.serving("pour", {}, {}):
        pass
    assert [span.process for span in collector.spans] == ["teapot-of-berlin"]


def test_a_sampler_decides_about_new_traces_but_not_about_those_that_servers_have_recorded(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    with exporting_traces("leadscore.teapot"):
        with spans.serving("pour", {}, {}):
            pass
        with spans.working("work", PARENT, {}):
            pass
    assert [span.name for span in collector.spans] == ["work"]


def test_a_receiver_that_is_away_is_logged_once_and_delays_neither_the_work_nor_the_end_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.01")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with capture_logs() as lines, exporting_traces("leadscore.teapot"):
        ends = time.monotonic() + 30
        while len(lines) < 1 and time.monotonic() < ends:
            with spans.serving("pour", {}, {}):
                time.sleep(0.001)
        for _ in range(100):
            with spans.serving("pour", {}, {}):
                pass
    [line] = lines
    assert line["log_level"] == "warning"
    assert line["event"] == "traces not sent; they are lost until the receiver is back"
    assert "spans" in line["reason"]


def test_an_end_does_not_wait_for_a_receiver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FLUSH_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
        began = time.monotonic()
        with exporting_traces("leadscore.teapot"), spans.serving("pour", {}, {}):
            pass
        assert time.monotonic() - began < 30, "expected it to end long before the request does"


def test_a_receiver_that_is_back_is_logged(collector: Collector) -> None:
    exporter = sending.Exporter(OTLPSpanExporter())
    with capture_logs() as lines:
        for collector.status in (400, 400, 200, 200):
            exporter.export([])
    assert [line["event"] for line in lines] == [
        "traces not sent; they are lost until the receiver is back",
        "traces are sent again",
    ]
    assert "400" in lines[0]["reason"]


def test_without_the_packages_traces_are_off_and_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "shared.traces.sending", None)
    with capture_logs() as lines, exporting_traces("leadscore.teapot"):
        assert spans.tracer() is None
    assert [line["event"] for line in lines] == ["traces are off"]
    assert lines[0]["advice"] == f"install leadscore[traces], or unset {ENDPOINT}"


def test_all_mistakes_are_named_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "collector:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "1%")
    with pytest.raises(StartupError) as caught:
        load(ProcessSettings)
    assert str(caught.value).splitlines() == [
        "3 settings are invalid:",
        f"  {ENDPOINT}: must be a URL of a collector, such as http://127.0.0.1:4318",
        "  OTEL_EXPORTER_OTLP_PROTOCOL: is 'grpc', must be http/protobuf, which collectors receive at port 4318",
        "  OTEL_TRACES_SAMPLER_ARG: is '1%', must be the share of traces to record, from 0 to 1",
    ]


@pytest.mark.parametrize("sampler", ["always_on", "parentbased_traceidratio", "traceidratio"])
def test_right_values_are_accepted(monkeypatch: pytest.MonkeyPatch, sampler: str) -> None:
    monkeypatch.setenv(ENDPOINT, "https://collector.internal:4318")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.01")
    load(ProcessSettings)


def test_what_the_library_refuses_is_said_at_start(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    with pytest.raises(StartupError, match="a variable of OpenTelemetry"), exporting_traces("leadscore.teapot"):
        pass


def test_an_unknown_sampler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "https://collector.internal:4318")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "jaeger_remote")
    with pytest.raises(StartupError, match="OTEL_TRACES_SAMPLER: is 'jaeger_remote', must be one of always_on, "):
        load(ProcessSettings)
