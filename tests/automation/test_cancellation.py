"""Disabling or deleting a rule cancels its pending deliveries, in memory and in MongoDB."""

from dataclasses import replace

import pytest

from automation_service.domain.delivery import NEVER, Answer, ExecutionState, Fate, Schedule
from automation_service.ports import ExecutionQuery, Settlement
from automation_service.store import cancellation
from automation_service.store import rules as rules_module
from automation_service.store.executions import MongoExecutions
from automation_service.store.rules import MongoRules
from automation_service.store.schema import EXECUTIONS, INDEXES
from shared.deadlines import deadline
from shared.indexes import create_indexes
from shared.mongo import Database
from testkit.secret_keys import KEYS
from tests.automation.fakes import NOW, change, executed, rule, webhook
from tests.automation.partitioned import PARTITIONED
from tests.automation.stores import BOTH, DISABLED, TICK, UNTIL, Stores, claim_one


@pytest.mark.parametrize("how", ["disable", "delete"])
async def test_pending_deliveries_of_a_disabled_or_deleted_rule_are_cancelled(stores: Stores, how: str) -> None:
    rules, executions, deliveries = stores
    await rules.create(BOTH)
    done, other = executed(change("bob"), BOTH), executed(change(), rule("other", None, webhook()))
    await executions.record([done])
    for _ in range(2):
        claim = await claim_one(deliveries, NOW, UNTIL, [])
        assert claim
        await deliveries.settle(
            [Settlement(claim, claim.delivery.settled(Answer(Fate.ARRIVED), NOW, TICK, Schedule(), 1))]
        )
    recorded = executed(change(), BOTH)
    await executions.record([recorded, other])
    assert not await rules.replace(DISABLED, 7)
    assert (await executions.get(recorded.execution_id)).state is ExecutionState.PENDING
    if how == "disable":
        assert await rules.replace(DISABLED, 1)
    else:
        await rules.delete("call")
    stored = await executions.get(recorded.execution_id)
    assert stored.state is ExecutionState.CANCELLED
    assert {each.due_time for each in stored.deliveries} == {NEVER}
    assert (await executions.get(done.execution_id)).state is ExecutionState.DELIVERED
    assert (await executions.get(other.execution_id)).state is ExecutionState.PENDING


@pytest.mark.parametrize("how", ["disable", "delete"])
async def test_an_attempt_in_progress_is_not_cancelled(stores: Stores, how: str) -> None:
    rules, executions, deliveries = stores
    await rules.create(BOTH)
    recorded = executed(change(), BOTH)
    await executions.record([recorded])
    claim = await claim_one(deliveries, NOW, UNTIL)
    assert claim
    if how == "disable":
        assert await rules.replace(DISABLED, 1)
    else:
        await rules.delete("call")
    arrived = claim.delivery.settled(Answer(Fate.ARRIVED, 200), NOW, TICK, Schedule(), 1)
    await deliveries.settle([Settlement(claim, arrived)])
    stored = await executions.get(recorded.execution_id)
    assert {each.state for each in stored.deliveries} == {ExecutionState.DELIVERED, ExecutionState.CANCELLED}
    assert arrived in stored.deliveries


@pytest.mark.parametrize("how", ["disable", "delete"])
async def test_a_rule_is_disabled_or_deleted_even_if_cancelling_times_out(database: Database, how: str) -> None:
    """As when there is too much, or others write the same executions over and over."""
    await create_indexes(database, INDEXES)
    rules, executions = MongoRules(database, KEYS), MongoExecutions(database, PARTITIONED)
    await rules.create(BOTH)
    recorded = executed(change(), BOTH)
    await executions.record([recorded])
    async with database.client.start_session() as session, await session.start_transaction():
        await database[EXECUTIONS].update_one({}, {"$set": {"held": True}}, session=session)
        with deadline(2):
            if how == "disable":
                assert await rules.replace(DISABLED, 1)
            else:
                await rules.delete("call")
    assert await rules.enabled() == []
    assert (await executions.get(recorded.execution_id)).state is ExecutionState.PENDING


async def test_deliveries_are_cancelled_in_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "MAX_CANCELLED", 2)
    await create_indexes(database, INDEXES)
    rules, executions = MongoRules(database, KEYS), MongoExecutions(database, PARTITIONED)
    await rules.create(BOTH)
    await executions.record([executed(change(f"lead-{number}"), BOTH) for number in range(5)])
    assert await rules.replace(DISABLED, 1)
    assert len(await executions.page(ExecutionQuery(9, state=ExecutionState.CANCELLED))) == 5


async def test_nothing_is_cancelled_if_the_rule_is_enabled_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create_indexes(database, INDEXES)
    rules, executions = MongoRules(database, KEYS), MongoExecutions(database, PARTITIONED)
    await rules.create(BOTH)
    await executions.record([executed(change(), BOTH)])

    async def enable_first(database: Database, rule_id: str) -> None:
        assert await rules.replace(replace(BOTH, revision=3), 2)
        await cancellation.cancel_deliveries(database, rule_id)

    monkeypatch.setattr(rules_module, "cancel_deliveries", enable_first)
    assert await rules.replace(DISABLED, 1)
    assert len(await executions.page(ExecutionQuery(9, state=ExecutionState.PENDING))) == 1
