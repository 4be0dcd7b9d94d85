"""The contract of `Executions`, in memory and in MongoDB."""

from dataclasses import replace
from datetime import timedelta

import pytest

from automation_service.domain.delivery import Answer, Fate, Schedule
from automation_service.domain.execution import ExecutionNotFound, Firing, Key
from automation_service.domain.trigger import (
    Inactive,
)
from automation_service.ports import ExecutionQuery, Executions
from automation_service.store import executions as executions_module
from automation_service.store.executions import LAST_FIRING, MongoExecutions, rows_of
from automation_service.store.schema import INDEXES
from shared.indexes import create_indexes
from shared.mongo import Database
from tests.automation.fakes import NOW, change, executed, rule, webhook
from tests.automation.partitioned import PARTITIONED
from tests.automation.stores import BOTH, TICK, UNTIL, Stores, claim_one


async def test_recorded_compares_all_parts_of_a_key(executions: Executions) -> None:
    await executions.record([executed(change("ada"), rule("x")), executed(change("bob", day=2), rule("y"))])
    asked = {
        Key("ada", "x", "2026-03-01"),
        Key("ada", "x", "2026-03-02"),
        Key("ada", "y", "2026-03-02"),
        Key("bob", "y", "2026-03-02"),
    }
    assert await executions.recorded(asked) == {Key("ada", "x", "2026-03-01"), Key("bob", "y", "2026-03-02")}
    assert await executions.recorded(set()) == set()


async def test_executions_are_listed_latest_first(executions: Executions) -> None:
    old = [executed(change(lead_id), rule("x")) for lead_id in ("ada", "bob", "cyd")]
    new = executed(change("ada", day=2), rule("y"), NOW + timedelta(milliseconds=1))
    await executions.record([*old, new])
    ties = sorted(old, key=lambda each: each.execution_id, reverse=True)
    assert await executions.page(ExecutionQuery(9)) == [new, *ties]
    cursor = (ties[0].record_time, ties[0].execution_id)
    assert await executions.page(ExecutionQuery(1, after=cursor)) == [ties[1]]
    assert await executions.page(ExecutionQuery(9, lead_id="ada")) == [new, old[0]]
    assert await executions.page(ExecutionQuery(9, rule_id="y")) == [new]
    assert await executions.page(ExecutionQuery(9, lead_id="bob", date_bucket="2026-03-02")) == []
    assert await executions.page(ExecutionQuery(9, date_bucket="2026-03-01", after=cursor)) == ties[1:]


async def test_an_execution_is_read_as_it_was_stored(stores: Stores) -> None:
    _, executions, _ = stores
    tried = executed(change(), BOTH)
    settled = tried.deliveries[0].settled(
        Answer(Fate.REFUSED, 404, "no", "e"), NOW, 5 * TICK, Schedule([TICK], [TICK]), 1
    )
    tried = replace(tried, deliveries=(settled, tried.deliveries[1]))
    await executions.record([tried])
    assert await executions.get(tried.execution_id) == tried
    with pytest.raises(ExecutionNotFound):
        await executions.get("nothing")


async def test_revive_refuses_deliveries_that_have_changed(stores: Stores) -> None:
    _, executions, deliveries = stores
    before = executed(change(), rule("call", None, webhook()))
    await executions.record([before])
    after = replace(before, deliveries=(before.deliveries[0].retried(NOW + TICK),))
    assert await executions.revive(before, after)
    assert await executions.get(before.execution_id) == after
    await claim_one(deliveries, UNTIL, UNTIL, [])
    assert not await executions.revive(after, before)


async def test_last_firings_returns_the_latest_date_per_lead_and_rule(executions: Executions) -> None:
    await executions.record([executed(change("ada", day=day), rule("x")) for day in (2, 9, 3)])
    await executions.record([executed(change("bob"), rule("y"))])
    asked = {("ada", "x"), ("bob", "x"), ("bob", "y")}
    found = {pair: firing.date_bucket for pair, firing in (await executions.last_firings(asked)).items()}
    assert found == {("ada", "x"): "2026-03-09", ("bob", "y"): "2026-03-01"}
    assert await executions.last_firings(set()) == {}


async def test_a_last_firing_has_the_period_of_inactivity_that_it_was_for(executions: Executions) -> None:
    silent = replace(rule("x"), draft=replace(rule("x").draft, trigger=Inactive(3)))
    await executions.record([executed(change("ada"), silent), executed(change("bob"), rule("x"))])
    assert await executions.last_firings({("ada", "x"), ("bob", "x")}) == {
        ("ada", "x"): Firing("2026-03-01", change().last_event_time),
        ("bob", "x"): Firing("2026-03-01", None),
    }


async def test_last_firings_accepts_any_number_of_pairs_and_any_ids(
    executions: Executions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executions_module, "MAX_PAIRS", 2)
    names = ["$ada", "$$ROOT", "a.b", "{}", "$"]
    await executions.record([executed(change(name), rule("$x")) for name in names])
    assert set(await executions.last_firings({(name, "$x") for name in names})) == {(name, "$x") for name in names}


async def test_last_firings_reads_one_execution_per_pair(database: Database) -> None:
    await create_indexes(database, INDEXES)
    await MongoExecutions(database, PARTITIONED).record([executed(change(day=day), rule()) for day in range(1, 31)])
    pair = {"partition": PARTITIONED.of("ada"), "lead_id": "ada", "rule_id": "call"}
    await database["automation_partitions"].insert_one({"_id": pair["partition"]})
    asked = {"aggregate": "automation_partitions", "pipeline": [*rows_of([pair]), LAST_FIRING], "cursor": {}}
    explained = await database.command("explain", asked, verbosity="executionStats")
    [lookup] = [stage for stage in explained["stages"] if "$lookup" in stage]
    assert (lookup["totalDocsExamined"], lookup["indexesUsed"]) == (1, ["once"])


async def test_executions_are_listed_by_time(executions: Executions) -> None:
    three = [executed(change("ada", day=day), rule("x"), NOW + day * TICK) for day in (1, 2, 3)]
    await executions.record(three)
    query = ExecutionQuery(9, from_time=NOW + 2 * TICK, until_time=NOW + 3 * TICK)
    assert await executions.page(query) == [three[1]]
