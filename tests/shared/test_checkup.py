"""The checks of a database report all problems at once, and can wait until there are none."""

import pytest

from shared import checkup
from shared.mongo import Database
from shared.settings import StartupError


async def fails(_: Database) -> None:
    raise StartupError("the cup is empty: pour tea\nthe pot is cold: boil water")


class FailsOnce:
    """A check that passes when it is run again."""

    def __init__(self) -> None:
        self.runs = 0

    async def __call__(self, _: Database) -> None:
        """Fails the first time."""
        self.runs += 1
        if self.runs == 1:
            raise StartupError("not yet: wait")


async def test_all_problems_are_reported_once(database_uri: str) -> None:
    with pytest.raises(StartupError) as caught:
        await checkup.examine(database_uri, [fails, FailsOnce(), fails], wait=0)
    assert [line.strip() for line in str(caught.value).splitlines()] == [
        "3 problems:",
        "the cup is empty: pour tea",
        "the pot is cold: boil water",
        "not yet: wait",
    ]


async def test_it_waits_until_there_is_no_problem(database_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "PAUSE_SECONDS", 0.01)
    check = FailsOnce()
    await checkup.examine(database_uri, [check], wait=60)
    assert check.runs == 2


async def test_a_partition_that_is_missing_is_reported(database: Database, database_uri: str) -> None:
    check = checkup.of_partitions("rows", 2, "teapot")
    await database.rows.insert_one({"_id": 0})
    with pytest.raises(StartupError, match="rows has 1 of 2 partitions: run migrate of the teapot service"):
        await checkup.examine(database_uri, [check], wait=0)
    await database.rows.insert_one({"_id": 1})
    await checkup.examine(database_uri, [check], wait=0)
