"""Quick calls share a line per method; a call that takes long has one of its own."""

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from shared.rpc import call_log
from shared.rpc.call_log import CallLog
from testkit.waiting import eventually
from tests.shared.rpc.running_server import healthy, of_calls, running
from tests.shared.rpc.teapot import POUR, Kitchen, pour
from tests.shared.waiting import until


async def test_quick_calls_share_a_line_per_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_log, "REPORT_SECONDS", 0.05)
    with capture_logs() as lines:
        log = CallLog()
        for seconds in (0.001, 0.002, 0.006):
            log.answered("/shop/Pour", seconds)
        log.answered("/shop/Wash", 0.5)
        await until(lambda: _shared(lines), what="the shared lines")
    assert [_figures(line) for line in _shared(lines)] == [("/shop/Pour", 3, 3.0, 6.0), ("/shop/Wash", 1, 500.0, 500.0)]
    assert {line["log_level"] for line in of_calls(lines)} == {"debug"}, "expected lines of their own at debug only"


async def test_a_slow_call_has_a_line_of_its_own() -> None:
    with capture_logs() as lines:
        CallLog().answered("/shop/Pour", call_log.SLOW_SECONDS)
    assert [(line["log_level"], line["method"], line["ms"]) for line in lines] == [("info", "/shop/Pour", 1000.0)]


async def test_each_period_is_counted_by_itself() -> None:
    with capture_logs() as lines:
        log = CallLog()
        for _ in range(2):
            log.answered("/shop/Pour", 0.001)
            log.report()
        log.report()
    assert [line["count"] for line in _shared(lines)] == [1, 1], "expected a line per period with calls"


@pytest.mark.usefixtures("fast_probes", "contained_sigterm")
async def test_a_server_that_stops_reports_its_last_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_log, "SLOW_SECONDS", 60.0)
    with capture_logs() as lines:
        async with running(Kitchen(), healthy) as server:
            await eventually(server.is_healthy, what="a healthy server")
            await pour(server.channel, "green")
    assert [(line["method"], line["count"]) for line in _shared(lines)] == [(POUR, 1)]


def _shared(lines: list[EventDict]) -> list[EventDict]:
    return [line for line in lines if line["event"] == "calls answered"]


def _figures(line: EventDict) -> tuple[object, ...]:
    return tuple(line[name] for name in ("method", "count", "ms_mean", "ms_max"))
