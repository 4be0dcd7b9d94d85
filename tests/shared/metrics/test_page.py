"""A metrics page answers whatever its readers and the event loop do, and only where it should."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from cli.local.embedded import free_port
from shared.metrics.page import serving_metrics
from shared.settings import MetricsSettings, StartupError
from testkit.metrics import fetch


def settings(port: int, host: str = "127.0.0.1") -> MetricsSettings:
    return MetricsSettings.model_validate({"metrics_port": port, "metrics_host": host})


async def test_it_shows_openmetrics_with_what_the_library_knows_of_the_process() -> None:
    with serving_metrics(settings(port := free_port())):
        page = await fetch(port)
    assert page.value("process_resident_memory_bytes") > 1_000_000
    assert not [line for line in page.text.splitlines() if "_created" in line]


async def test_it_answers_programs_that_know_only_the_older_format() -> None:
    with serving_metrics(settings(port := free_port())):
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_it_answers_while_the_event_loop_is_blocked() -> None:
    with serving_metrics(settings(port := free_port())), ThreadPoolExecutor(1) as reader:
        # `result` blocks this thread, and with it the event loop.
        assert reader.submit(asyncio.run, fetch(port)).result(30).shows("process_cpu_seconds_total")


async def test_a_reader_that_asks_for_nothing_delays_no_other_and_not_the_end() -> None:
    port = free_port()
    with serving_metrics(settings(port)), socket.create_connection(("127.0.0.1", port)):
        assert (await fetch(port)).text
    with pytest.raises(httpx.ConnectError):
        await fetch(port)


async def test_it_listens_on_loopback_only_unless_told_otherwise() -> None:
    port = free_port()
    with serving_metrics(settings(port)), pytest.raises(httpx.ConnectError):
        await fetch(port, host="127.0.0.2")
    with serving_metrics(settings(port, "0.0.0.0")):  # noqa: S104 (what the test is about)
        assert (await fetch(port, host="127.0.0.2")).text


async def test_it_listens_at_an_address_of_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving_metrics(settings(port := free_port(), "::1")):
        assert (await fetch(port, host="[::1]")).text


def test_port_0_means_no_page() -> None:
    with serving_metrics(settings(0)):
        pass


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        advice = "stop the process that uses it, or choose another LEADSCORE_METRICS_PORT"
        with (
            pytest.raises(StartupError, match=rf"^127\.0\.0\.1:{port} is in use: {advice}$"),
            serving_metrics(settings(port)),
        ):
            pass


def test_an_address_that_this_machine_does_not_have_is_named() -> None:
    with (
        pytest.raises(StartupError, match=r"^LEADSCORE_METRICS_HOST=192\.0\.2\.1: "),
        serving_metrics(settings(free_port(), "192.0.2.1")),
    ):
        pass
