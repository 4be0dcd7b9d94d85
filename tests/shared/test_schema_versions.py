"""Steps are taken once and in order, and programs that do not fit the database refuse to start."""

from collections.abc import Sequence

import pytest

from shared.mongo import Database
from shared.schema_versions import Schema, Step
from shared.settings import StartupError


def schema(*steps: tuple[int, int], done: list[int] | None = None) -> Schema:
    """Returns a schema with steps to versions, each with the oldest version that still works after it."""
    return Schema("teapot", [step(version, oldest, done if done is not None else []) for version, oldest in steps])


def step(version: int, oldest: int, done: list[int]) -> Step:
    async def run(database: Database) -> None:
        done.append(version)

    return Step(version, f"to {version}", oldest, run)


async def test_missing_steps_are_taken_once_in_order(database: Database) -> None:
    done: list[int] = []
    await schema().migrate(database)
    for _ in range(2):
        await schema((2, 1), (3, 1), done=done).migrate(database)
    assert done == [2, 3]
    await schema((2, 1), (3, 1)).check(database)


async def test_an_interrupted_migration_goes_on_with_the_step_that_failed(database: Database) -> None:
    done: list[int] = []

    async def fail(database: Database) -> None:
        raise RuntimeError("killed")

    failing = Schema("teapot", [step(2, 1, done), Step(3, "fails", 1, fail)])
    with pytest.raises(RuntimeError, match="killed"):
        await failing.migrate(database)
    await schema((2, 1), (3, 1), done=done).migrate(database)
    assert done == [2, 3]


async def test_the_former_program_runs_beside_the_new_one(database: Database) -> None:
    await schema((2, 1)).migrate(database)
    await schema().check(database)
    await schema().migrate(database)
    await schema((2, 1)).check(database)


@pytest.mark.parametrize("steps", [(), ((2, 1),)])
async def test_a_program_that_is_left_behind_refuses(database: Database, steps: Sequence[tuple[int, int]]) -> None:
    await schema((2, 1), (3, 3)).migrate(database)
    version = steps[-1][0] if steps else 1
    for act in (schema(*steps).check, schema(*steps).migrate):
        with pytest.raises(StartupError) as caught:
            await act(database)
        assert str(caught.value) == (
            f"the database has version 3 of the teapot schema, this program is of version {version}, and 3 is the "
            "oldest that still works: install a newer leadscore"
        )


async def test_a_program_that_is_ahead_asks_for_migrate(database: Database) -> None:
    with pytest.raises(StartupError, match="the database has not been set up: run migrate of the teapot service"):
        await schema((2, 1)).check(database)
    await schema().migrate(database)
    with pytest.raises(StartupError) as caught:
        await schema((2, 1)).check(database)
    assert str(caught.value) == (
        "the database has version 1 of the teapot schema, this program needs 2: run migrate of the teapot service"
    )
