"""Every hot command of automation names the partitions of its rows."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from automation_service.domain.delivery import Answer, Fate, Schedule
from automation_service.ports import Settlement
from automation_service.store import schema
from automation_service.store.deliveries import MongoDeliveries
from automation_service.store.executions import MongoExecutions
from automation_service.store.rules import MongoRules
from shared.contracts import score_changes
from shared.inbox.collection import Inbox
from shared.mongo import Database
from shared.partitions import Partitions
from testkit.secret_keys import KEYS
from tests.automation.fakes import NOW, FakeInsights, change, executed, rule, webhook
from tests.automation.stores import TICK, UNTIL
from tests.automation.test_drain import evaluation, put
from tests.shared.commands import Commands, overheard
from tests.shared.pins import outside, transactions, unpinned

Heard = tuple[Database, Inbox, Commands]


@pytest.fixture
async def heard(database_uri: str) -> AsyncIterator[Heard]:
    """A database and an inbox of one partition, and what is sent from now on."""
    async with overheard(database_uri) as (database, commands):
        inbox = Inbox(database, score_changes.CONTRACT, partitions=1)
        await inbox.migrate()
        await schema.migrate(database, partitions=1)
        yield database, inbox, commands


async def test_a_drain_that_fires_is_one_transaction_on_one_partition(heard: Heard) -> None:
    database, inbox, commands = heard
    rules, cooling = MongoRules(database, KEYS), rule("cooling", None, webhook())
    await rules.create(rule())
    await rules.create(replace(cooling, draft=replace(cooling.draft, cool_down_days=3)))
    await put(inbox, change("ada"), change("bob"))
    commands.sent.clear()
    assert await evaluation(database, inbox, FakeInsights()).step([0], 10) == 2
    assert await database["automation_executions"].count_documents({}) == 4
    assert transactions(commands) == [{0}]
    assert unpinned(commands) == {("aggregate", "automation_executions")}, "expected only the count of this test"
    reads = {("find", "score_changes"), ("find", "automation_executions"), ("aggregate", "automation_partitions")}
    assert outside(commands) - unpinned(commands) == reads


async def test_changes_at_which_nothing_fires_are_marked_in_their_partition(heard: Heard) -> None:
    database, inbox, commands = heard
    await put(inbox, change("ada"), change("bob"))
    commands.sent.clear()
    assert await evaluation(database, inbox, FakeInsights()).step([0], 10) == 2
    assert transactions(commands) == []
    assert unpinned(commands) == set()


async def test_claiming_and_settling_deliveries_name_their_partitions(database_uri: str) -> None:
    async with overheard(database_uri) as (database, commands):
        await schema.migrate(database, partitions=8)
        partitions, leads = Partitions(8), ("ada", "bob", "cyd")
        executions, deliveries = MongoExecutions(database, partitions), MongoDeliveries(database, partitions)
        recorded = [executed(change(lead_id), rule("call", None, webhook())) for lead_id in leads]
        await executions.record(recorded)
        due = await deliveries.due(NOW, [], 9)
        commands.sent.clear()
        claims = await deliveries.claim(due, NOW, UNTIL)
        settled = [
            each.delivery.settled(Answer(Fate.ARRIVED), NOW, TICK, Schedule([timedelta(hours=1)]), 1) for each in claims
        ]
        await deliveries.settle([Settlement(*each) for each in zip(claims, settled, strict=True)])
        stored = [await executions.get(each.execution_id) for each in recorded]
        assert [each.deliveries[0].attempts for each in stored] == [each.attempts for each in settled]
        assert unpinned(commands) == set()
        rows = await database["automation_executions"].find().to_list()
        assert {row["lead_id"]: row["partition"] for row in rows} == {each: partitions.of(each) for each in leads}
