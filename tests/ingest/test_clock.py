"""A server whose clock is wrong says so at start, because it refuses the events of callers whose clocks are right."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ingest_service.app import warn_of_clock
from shared import wire
from shared.mongo import Database


@pytest.mark.parametrize(("minutes", "warnings"), [(0, 0), (-10, 1), (10, 1)])
async def test_a_clock_that_differs_from_that_of_mongodb_is_reported(
    database: Database, minutes: int, warnings: int
) -> None:
    with capture_logs() as logged:
        await warn_of_clock(database, lambda: wire.now() + timedelta(minutes=minutes))
    assert len(logged) == warnings
    for line in logged:
        assert round(line["seconds_ahead"] / 60) == minutes
