"""The schema: migrations and indexes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from automation_service.app import open_worker, run_server
from automation_service.settings import AutomationSettings
from automation_service.store import schema
from automation_service.store.executions import MongoExecutions
from automation_service.store.rules import MongoRules
from automation_service.store.schema import EXECUTIONS, INDEXES
from cli.local.embedded import free_port
from shared.contracts import score_changes
from shared.inbox.collection import Inbox
from shared.indexes import create_indexes
from shared.mongo import Database
from shared.settings import StartupError
from testkit.secret_keys import KEY, KEYS
from tests.automation.fakes import change, executed, rule, webhook
from tests.automation.partitioned import PARTITIONED
from tests.shared.commands import overheard

NO_BROKER: Any = None
"""It is not asked before the database is found to be in order."""


async def test_listing_executions_uses_an_index(database: Database) -> None:
    await create_indexes(database, INDEXES)
    for asked in ({}, {"rule_id": "x"}, {"date_bucket": "2026-03-01"}, {"state": "failed"}):
        plan = await database[EXECUTIONS].find(asked).sort([("record_time", -1), ("_id", -1)]).explain()
        stages = str(plan["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in stages
        assert "SORT'" not in stages


async def test_acknowledged_writes_use_majority_write_concern(database_uri: str, database: Database) -> None:
    before = executed(change(), rule("call", None, webhook()))
    async with overheard(database_uri) as (heard, commands):
        rules = MongoRules(heard, KEYS)
        await rules.create(rule())
        assert await rules.replace(replace(rule(), revision=2), 1)
        await MongoExecutions(heard, PARTITIONED).revive(before, before)
        assert await rules.replace(replace(rule(enabled=False), revision=3), 2)
        await rules.delete("call")
        written = [command.get("writeConcern") for name, command in commands.sent if name != "find"]
        assert written == [{"w": "majority", "j": True}] * 5


async def test_a_database_without_partitions_must_be_migrated(database: Database) -> None:
    await create_indexes(database, INDEXES)
    with pytest.raises(StartupError, match="run migrate of the automation service"):
        await schema.check(database, partitions=8)
    for _ in range(2):
        await schema.migrate(database, partitions=8)
    await schema.check(database, partitions=8)


@pytest.mark.parametrize("kind", ["server", "worker"])
async def test_server_and_worker_refuse_to_start_without_migrate(
    database_uri: str, database: Database, kind: str
) -> None:
    """The inbox alone, which the scoring service makes, is not enough to find a delivery that is due."""
    settings = AutomationSettings.model_validate({"mongo_uri": database_uri, "port": free_port(), "secret_keys": KEY})
    await Inbox(database, score_changes.CONTRACT, partitions=settings.partitions).migrate()
    start = run_server(settings) if kind == "server" else open_worker(settings, NO_BROKER).__aenter__()
    with pytest.raises(StartupError, match="run migrate of the automation service"):
        async with asyncio.timeout(30):
            await start
