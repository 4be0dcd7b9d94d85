"""The contract of `Deliveries`, in memory and in MongoDB."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from automation_service.domain.delivery import Answer, ExecutionState, Fate, Schedule
from automation_service.ports import Due, ExecutionQuery, Settlement
from automation_service.store.deliveries import MongoDeliveries
from automation_service.store.executions import MongoExecutions
from automation_service.store.schema import INDEXES
from shared.indexes import create_indexes
from shared.mongo import Database
from tests.automation.fakes import NOW, change, executed, rule, webhook
from tests.automation.partitioned import PARTITIONED
from tests.automation.stores import BOTH, TICK, UNTIL, Stores, claim_one
from tests.shared.commands import overheard


async def test_a_due_delivery_is_claimed_once_until_its_claim_lapses(stores: Stores) -> None:
    _, executions, deliveries = stores
    await executions.record([executed(change(), BOTH), executed(change("bob"), BOTH, NOW + TICK)])
    assert await claim_one(deliveries, NOW - TICK, UNTIL, []) is None
    claims = [await claim_one(deliveries, NOW, UNTIL, []) for _ in range(3)]
    assert claims[2] is None
    assert {each.delivery.action_id for each in claims if each} == {"one", "two"}
    assert {each.rule_id for each in claims if each} == {"call"}
    later = [await claim_one(deliveries, UNTIL, UNTIL + timedelta(seconds=30), []) for _ in range(5)]
    assert later[4] is None
    assert len({each.delivery.delivery_id for each in later if each}) == 4


async def test_concurrent_claims_never_share_a_delivery(stores: Stores) -> None:
    _, executions, deliveries = stores
    await executions.record([executed(change(f"lead-{number}"), BOTH) for number in range(20)])
    due = await deliveries.due(NOW, [], 99)
    assert len(due) == 40
    claims = await asyncio.gather(*(deliveries.claim(due[:30], NOW, UNTIL) for _ in range(3)))
    assert sorted(claim.delivery.delivery_id for each in claims for claim in each) == sorted(
        each.delivery_id for each in due[:30]
    )
    assert len(await deliveries.due(NOW, [], 99)) == 10


async def test_deliveries_of_busy_endpoints_are_not_due(stores: Stores) -> None:
    _, executions, deliveries = stores
    await executions.record([executed(change(), BOTH)])
    claim = await claim_one(deliveries, NOW, UNTIL, ["https://crm.example"])
    assert claim
    assert claim.delivery.endpoint == "https://other.example"
    assert await claim_one(deliveries, NOW, UNTIL, ["https://crm.example", "https://other.example"]) is None


async def test_due_times_set_by_a_fast_clock_are_repaired(stores: Stores) -> None:
    """What was claimed, and what was recorded as due at once; not what waits for its next attempt."""
    _, executions, deliveries = stores
    one, ahead, latest = rule("call", None, webhook()), NOW + timedelta(hours=1), NOW + timedelta(seconds=80)
    times = {"claimed": ahead, "recorded": ahead, "tried": NOW, "under-way": NOW, "new": NOW + timedelta(seconds=9)}
    ids = {}
    for lead_id, record_time in times.items():
        execution = executed(change(lead_id), one, record_time)
        ids[lead_id] = execution.deliveries[0].delivery_id
        await executions.record([execution])
    for lead_id, now in {"claimed": ahead, "tried": NOW, "under-way": NOW}.items():
        [claim] = await deliveries.claim([Due(ids[lead_id], "https://crm.example")], now, now + timedelta(seconds=40))
        if lead_id == "tried":
            waits = claim.delivery.settled(Answer(Fate.RETRY, 503), NOW, TICK, Schedule([timedelta(hours=2)]), 1)
            await deliveries.settle([Settlement(claim, waits)])
    assert await deliveries.due(NOW, [], 9) == []
    await deliveries.repair_due_times(NOW, latest)
    found = {each.delivery_id for each in await deliveries.due(NOW, [], 9)}
    assert found == {ids["claimed"], ids["recorded"]}


async def test_repairing_due_times_reads_no_waiting_execution(database_uri: str, database: Database) -> None:
    await create_indexes(database, INDEXES)
    waits = executed(change(), rule("call", None, webhook())).deliveries[0]
    waits = waits.settled(Answer(Fate.RETRY, 503), NOW, TICK, Schedule([timedelta(hours=2)]), 1)
    await MongoExecutions(database, PARTITIONED).record([replace(executed(change(), rule()), deliveries=(waits,))])
    async with overheard(database_uri) as (heard, commands):
        await MongoDeliveries(heard, PARTITIONED).repair_due_times(NOW, UNTIL)
    [(name, command)] = commands.sent
    asked = {name: command[name], "updates": command["updates"]}
    explained = await database.command("explain", asked, verbosity="executionStats")
    assert explained["executionStats"]["totalDocsExamined"] == 0
    assert "due_by_endpoint" in str(explained["queryPlanner"]["winningPlan"])


async def test_the_state_of_an_execution_follows_its_deliveries(stores: Stores) -> None:
    _, executions, deliveries = stores
    recorded = executed(change(), BOTH)
    await executions.record([recorded, executed(change("bob"), rule())])
    states = []
    for fate in (Fate.ARRIVED, Fate.FINAL):
        claim = await claim_one(deliveries, NOW, UNTIL, [])
        assert claim
        settled = claim.delivery.settled(Answer(fate, 200), NOW, TICK, Schedule(), 1)
        await deliveries.settle([Settlement(claim, settled), Settlement(claim, claim.delivery.cancelled())])
        stored = await executions.get(recorded.execution_id)
        assert settled in stored.deliveries
        [listed] = await executions.page(ExecutionQuery(9, lead_id="ada", state=stored.state))
        states.append(listed.state)
    assert states == [ExecutionState.PENDING, ExecutionState.FAILED]
    assert await claim_one(deliveries, UNTIL, UNTIL, []) is None
    [plain] = await executions.page(ExecutionQuery(9, state=ExecutionState.RECORDED))
    assert plain.key.lead_id == "bob"


async def test_a_lapsed_claim_cannot_settle(stores: Stores) -> None:
    _, executions, deliveries = stores
    recorded = executed(change(), rule("call", None, webhook()))
    await executions.record([recorded])
    first = await claim_one(deliveries, NOW, UNTIL, [])
    second = await claim_one(deliveries, UNTIL, UNTIL + timedelta(seconds=30), [])
    assert first
    assert second
    settled = second.delivery.settled(Answer(Fate.ARRIVED), NOW, TICK, Schedule(), 1)
    await deliveries.settle([Settlement(first, first.delivery.cancelled())])
    assert (await executions.get(recorded.execution_id)).deliveries == (second.delivery,)
    await deliveries.settle([Settlement(first, first.delivery.cancelled()), Settlement(second, settled)])
    assert (await executions.get(recorded.execution_id)).state is ExecutionState.DELIVERED


@pytest.mark.parametrize("busy", [[], ["a"]])
async def test_finding_due_deliveries_reads_no_waiting_execution(
    database_uri: str, database: Database, busy: list[str]
) -> None:
    await create_indexes(database, INDEXES)
    await MongoExecutions(database, PARTITIONED).record([executed(change(), rule("call", None, webhook()))])
    async with overheard(database_uri) as (heard, commands):
        assert await MongoDeliveries(heard, PARTITIONED).due(NOW - TICK, busy, 9) == []
    [(_, command)] = commands.sent
    asked = {name: command[name] for name in ("find", "filter", "hint")}
    explained = await database.command("explain", asked, verbosity="executionStats")
    assert explained["executionStats"]["totalDocsExamined"] == 0
