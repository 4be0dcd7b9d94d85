"""What a system is filled with is what its pipeline would have stored."""

from datetime import timedelta

from benchmarks.harness.fill import Filling, write
from shared import wire
from shared.mongo import Database
from tests.benchmarks.test_reference import ready
from tests.scoring.conftest import new_scoring

EVENTS, LEADS, BUSY_EVENTS = 1_000, 60, 600


async def test_a_verification_finds_no_violation_in_what_was_filled(database: Database, database_uri: str) -> None:
    scoring = await new_scoring(database)
    for number in range(2):
        write(ready, number, 2, database_uri, Filling("filled", EVENTS, LEADS))
    assert await scoring.verify() == []
    assert await database["events"].count_documents({"state": "scored"}) == EVENTS
    assert await database["leads"].count_documents({}) == LEADS


async def test_leads_with_many_events_get_checkpoints(database: Database, database_uri: str) -> None:
    scoring = await new_scoring(database)
    write(ready, 0, 1, database_uri, Filling("busy", BUSY_EVENTS, 2))
    assert await database["checkpoints"].count_documents({}) == 2
    assert await scoring.verify() == []


async def test_the_pipeline_goes_on_after_what_was_filled(database: Database, database_uri: str) -> None:
    scoring = await new_scoring(database)
    write(ready, 0, 1, database_uri, Filling("filled", 20, 1))
    before = (await scoring.lead_reader.leads(["filled-0"]))["filled-0"]
    scoring.now = wire.now()
    await scoring.put(("new", "filled-0", "download", scoring.now))
    assert await scoring.drain_all() == 1
    after = (await scoring.lead_reader.leads(["filled-0"]))["filled-0"]
    assert after.state.score == before.state.score + 10
    assert await scoring.verify() == []


def test_the_last_of_ten_million_events_is_within_the_year() -> None:
    number = 9_999_999
    [(_, event)] = Filling("filled", number + 1, number + 1).part(number, number + 1)
    assert wire.now() - timedelta(minutes=1) < event.event_time <= wire.now()
