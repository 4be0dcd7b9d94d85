"""Gauges of a database show the last reading, are missing before the first, and fail nobody."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from structlog.testing import capture_logs

from shared.metrics.readings import Readings, age, gauge
from shared.settings import MetricsSettings
from testkit.waiting import eventually

SETTINGS = MetricsSettings.model_validate({"metrics_port": 1, "metrics_seconds": 0.01})


def show(reading: int, now: datetime) -> Iterable[Metric]:
    yield gauge("fishes", "Fishes in the pond.", reading, pond="north")


def shown() -> float | None:
    return REGISTRY.get_sample_value("fishes", {"pond": "north"})


async def test_a_failed_reading_keeps_the_last_one_and_is_logged() -> None:
    answers: list[int | Exception] = [ConnectionError("away"), 7, ConnectionError("away again")]

    async def read() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    readings = Readings("pond", read, show)
    with capture_logs() as lines:
        await readings.refresh()
        assert list(readings.collect()) == []
        for _ in range(2):
            await readings.refresh()
            assert next(metric.samples[0].value for metric in readings.collect()) == 7
    assert [line["event"] for line in lines] == ["metrics not read"] * 2
    names = [metric.name for metric in readings.collect()]
    assert names == ["fishes", "leadscore_reading_age_seconds"]


async def test_they_are_on_the_page_while_they_are_read() -> None:
    fishes = 3

    async def read() -> int:
        return fishes

    async def is_shown() -> bool:
        return shown() == fishes

    task = asyncio.create_task(Readings("pond", read, show).run(SETTINGS))
    await eventually(is_shown, what="the first reading")
    fishes = 4
    await eventually(is_shown, what="the next reading")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert shown() is None


async def test_without_a_page_nothing_is_read() -> None:
    async def read() -> int:
        pytest.fail("read for nobody")

    readings = Readings("pond", read, show)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await readings.run(MetricsSettings.model_validate({"metrics_seconds": 0.01}))
    assert list(readings.collect()) == []


def test_an_age_is_never_negative() -> None:
    now = datetime.now(UTC)
    assert [age(since, now) for since in (None, now - timedelta(seconds=5), now + timedelta(seconds=5))] == [0, 5, 0]
