"""One contract for the stores: in memory and in MongoDB."""

from dataclasses import replace
from datetime import timedelta

import pytest

from automation_service.domain.condition import Conditions
from automation_service.domain.execution import Key
from automation_service.domain.lead import Risk
from automation_service.domain.rule import RuleExists, RuleNotFound
from automation_service.ports import ExecutionQuery, Executions, Rules
from automation_service.store import EXECUTIONS, INDEXES, MongoExecutions, MongoRules
from shared import mongo
from shared.mongo import Database
from tests.automation.fakes import NOW, FakeExecutions, FakeRules, change, executed, rule


@pytest.fixture(params=["memory", "mongodb"])
def rules(request: pytest.FixtureRequest, database: Database) -> Rules:
    return FakeRules() if request.param == "memory" else MongoRules(database)


@pytest.fixture(params=["memory", "mongodb"])
async def executions(request: pytest.FixtureRequest, database: Database) -> Executions:
    await mongo.create_indexes(database, INDEXES)
    return FakeExecutions() if request.param == "memory" else MongoExecutions(database)


async def test_a_rule_is_read_as_it_was_stored(rules: Rules) -> None:
    full = rule("full", Conditions(("hot", "cold"), -5, 2**40, Risk.HIGH))
    for each in (rule("plain"), full):
        await rules.create(each)
        assert await rules.get(each.draft.rule_id) == each


async def test_a_rule_is_created_once(rules: Rules) -> None:
    await rules.create(rule())
    with pytest.raises(RuleExists):
        await rules.create(rule(enabled=False))
    assert (await rules.get("call")).draft.enabled


async def test_rules_are_listed_by_id_from_a_place_on(rules: Rules) -> None:
    for rule_id in ("b", "d", "a", "c"):
        await rules.create(rule(rule_id))
    assert [each.draft.rule_id for each in await rules.page((), 3)] == ["a", "b", "c"]
    assert [each.draft.rule_id for each in await rules.page(("b",), 3)] == ["c", "d"]


async def test_only_enabled_rules_are_evaluated(rules: Rules) -> None:
    await rules.create(rule("on"))
    await rules.create(rule("off", enabled=False))
    assert [each.draft.rule_id for each in await rules.enabled()] == ["on"]


async def test_a_rule_is_replaced_at_its_revision_only(rules: Rules) -> None:
    await rules.create(rule())
    second = replace(rule(), revision=2)
    assert await rules.replace(second, 1)
    assert not await rules.replace(replace(rule(), revision=3), 1)
    assert await rules.get("call") == second


async def test_a_deleted_rule_is_gone(rules: Rules) -> None:
    await rules.create(rule())
    await rules.delete("call")
    with pytest.raises(RuleNotFound):
        await rules.get("call")
    with pytest.raises(RuleNotFound):
        await rules.delete("call")
    assert not await rules.replace(rule(), 1)


async def test_keys_are_recorded_by_all_their_parts(executions: Executions) -> None:
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
    place = (ties[0].record_time, ties[0].execution_id)
    assert await executions.page(ExecutionQuery(1, after=place)) == [ties[1]]
    assert await executions.page(ExecutionQuery(9, lead_id="ada")) == [new, old[0]]
    assert await executions.page(ExecutionQuery(9, rule_id="y")) == [new]
    assert await executions.page(ExecutionQuery(9, lead_id="bob", date_bucket="2026-03-02")) == []
    assert await executions.page(ExecutionQuery(9, date_bucket="2026-03-01", after=place)) == ties[1:]


async def test_the_lists_of_executions_use_an_index(database: Database) -> None:
    await mongo.create_indexes(database, INDEXES)
    for asked in ({}, {"rule_id": "x"}, {"date_bucket": "2026-03-01"}):
        plan = await database[EXECUTIONS].find(asked).sort([("record_time", -1), ("_id", -1)]).explain()
        stages = str(plan["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in stages
        assert "SORT'" not in stages
