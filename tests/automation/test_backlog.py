"""The backlog of the automation service and its age, over gRPC and a real database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any, TypeAlias

import pytest
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.automation.v1 import automation_pb2_grpc

from automation_service.domain.delivery import NEVER, Delivery, ExecutionState
from automation_service.domain.execution import Execution
from automation_service.servicer import ERRORS, AutomationServicer
from automation_service.store import schema
from automation_service.store.backlog import MongoBacklog
from automation_service.store.executions import MongoExecutions
from automation_service.store.schema import EXECUTIONS
from shared.contracts import score_changes
from shared.inbox.breaker import MAX_ALIKE, Breaker
from shared.inbox.bundles import pending_bundles
from shared.inbox.collection import Inbox
from shared.inbox.failures import Failure, ReasonCode
from shared.inbox.parking import Parking
from shared.mongo import Database
from testkit.serving import served
from tests.automation.fakes import NOW, change, executed, rule, webhook
from tests.automation.partitioned import PARTITIONED
from tests.conftest import PARTITIONS
from tests.shared.commands import overheard

Stub: TypeAlias = "automation_pb2_grpc.AutomationServiceAsyncStub"
SECOND = timedelta(seconds=1)


class Unreached:
    """Stands in for parts that these tests do not call."""

    executions: Any = None


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    made = Inbox(database, score_changes.CONTRACT, partitions=PARTITIONS)
    await made.migrate()
    await schema.migrate(database, partitions=PARTITIONS)
    return made


@pytest.fixture
async def stub(database: Database, inbox: Inbox) -> AsyncIterator[Stub]:
    unreached: Any = Unreached()
    report = MongoBacklog(database, inbox, lambda: NOW)
    servicer = AutomationServicer(unreached, unreached, unreached, Parking(inbox), report.read, unreached)
    async with served(
        ERRORS, lambda server: automation_pb2_grpc.add_AutomationServiceServicer_to_server(servicer, server)
    ) as channel:
        yield automation_pb2_grpc.AutomationServiceStub(channel)


async def backlog(stub: Stub) -> pb.GetAutomationBacklogResponse:
    return await stub.GetAutomationBacklog(pb.GetAutomationBacklogRequest())


async def put(inbox: Inbox, lead_id: str, age: timedelta, *, count: int = 1, **fields: Any) -> None:
    """Puts a row with changes of a lead."""
    items = [{"lead_id": lead_id, "sequence": number} for number in range(1, count + 1)]
    [row] = pending_bundles(score_changes.CONTRACT, inbox.partition_of(lead_id), items, NOW - age)
    await inbox.rows.insert_one(row | fields)


async def test_a_new_database_has_no_backlog(stub: Stub) -> None:
    assert await backlog(stub) == pb.GetAutomationBacklogResponse()


async def test_pending_changes_are_reported_with_their_age(inbox: Inbox, stub: Stub) -> None:
    """This is how a paused automation worker shows, which no health check detects."""
    leads = [f"lead-{number}" for number in range(500)]
    for index, lead_id in enumerate(leads):
        await put(inbox, lead_id, (40 + index) * SECOND, count=1 + index % 2)
    found = await backlog(stub)
    assert (found.pending_changes, found.parked_changes) == (750, 0), "changes are counted, not rows"
    assert found.oldest_change_time.ToDatetime(UTC) == NOW - 539 * SECOND
    assert len(found.partitions_behind) == PARTITIONS
    assert found.partitions_behind[0].partition == inbox.partition_of("lead-499")
    assert found.partitions_behind[0].oldest_change_time == found.oldest_change_time
    ages = [each.oldest_change_time.ToDatetime(UTC) for each in found.partitions_behind]
    assert ages == sorted(ages)


async def test_a_partition_is_behind_after_half_a_minute(inbox: Inbox, stub: Stub) -> None:
    await put(inbox, "ada", 30 * SECOND)
    await put(inbox, "cyd", 31 * SECOND)
    assert inbox.partition_of("ada") != inbox.partition_of("cyd")
    found = await backlog(stub)
    assert [each.partition for each in found.partitions_behind] == [inbox.partition_of("cyd")]


async def test_an_isolated_change_is_pending_and_a_parked_one_is_not(inbox: Inbox, stub: Stub) -> None:
    await put(inbox, "ada", 9 * SECOND, attempts=2, retry_time=NOW + SECOND)
    await put(inbox, "bob", 99 * SECOND, attempts=5, state="parked", park_time=NOW, reason="x")
    found = await backlog(stub)
    assert (found.pending_changes, found.parked_changes) == (1, 1)
    assert found.oldest_change_time.ToDatetime(UTC) == NOW - 9 * SECOND


async def test_a_stopped_drain_is_reported_with_its_error(inbox: Inbox, database: Database, stub: Stub) -> None:
    assert not (await backlog(stub)).HasField("stopped_drain")
    breaker = Breaker(inbox)
    failure = Failure(ReasonCode.FAILED, "KeyError: 'scores'")
    for number in range(MAX_ALIKE):
        breaker.failed(f"row-{number}", number % PARTITIONS, failure)
    await breaker.report()
    stopped = (await backlog(stub)).stopped_drain
    assert (stopped.error, stopped.failed_changes) == ("KeyError: 'scores'", MAX_ALIKE)


def delivering(lead_id: str, *deliveries: dict[str, Any]) -> Execution:
    """Returns an execution of a rule with webhooks, with these fields of its deliveries replaced."""
    made = executed(change(lead_id), rule("call", None, *(webhook(str(index)) for index in range(len(deliveries)))))
    changed = (replace(each, **fields) for each, fields in zip(made.deliveries, deliveries, strict=True))
    return replace(made, deliveries=tuple[Delivery, ...](changed))


async def test_due_deliveries_and_failed_executions_are_counted(database: Database, stub: Stub) -> None:
    due, later = {"due_time": NOW - 5 * SECOND}, {"due_time": NOW + SECOND, "tries": 1}
    attempted = {"due_time": NOW + 9 * SECOND, "lease": "x"}
    lapsed = {"due_time": NOW - 8 * SECOND, "lease": "x"}
    delivered = {"due_time": NEVER, "state": ExecutionState.DELIVERED}
    failed = {"due_time": NEVER, "state": ExecutionState.FAILED}
    await MongoExecutions(database, PARTITIONED).record(
        [
            delivering("ada", due, later),
            delivering("bob", due, due),
            delivering("cyd", lapsed, delivered),
            delivering("dan", attempted),
            delivering("eve", later, failed),
            delivering("fay", failed, delivered),
            delivering("gus", failed),
        ]
    )
    found = await backlog(stub)
    assert (found.due_deliveries, found.failed_executions) == (4, 2)
    assert found.oldest_due_time.ToDatetime(UTC) == NOW - 8 * SECOND


async def test_counting_is_cheap_with_a_large_backlog(database_uri: str, database: Database, inbox: Inbox) -> None:
    later = [delivering(f"later-{number}", {"due_time": NOW + SECOND, "tries": 1}) for number in range(300)]
    due = [delivering(f"due-{number}", {"due_time": NOW}) for number in range(50)]
    failed = {"due_time": NEVER, "state": ExecutionState.FAILED}
    await MongoExecutions(database, PARTITIONED).record(
        [*later, *due, *(delivering(f"f-{each}", failed) for each in range(200))]
    )
    async with overheard(database_uri) as (heard, commands):
        counting = MongoBacklog(heard, inbox, lambda: NOW)
        assert (await counting.due_deliveries(NOW, 20)).count == 20
        assert await counting.failed_executions(100) == 100
    for (_, command), read in zip(commands.sent, (20, 0), strict=True):
        asked = {key: value for key, value in command.items() if not key.startswith("$") and key != "lsid"}
        explained = await database.command("explain", asked, verbosity="executionStats")
        stats = explained.get("stages", [{"$cursor": explained}])[0]["$cursor"]["executionStats"]
        assert stats["totalDocsExamined"] == read
        assert stats["totalKeysExamined"] <= 110
    assert await database[EXECUTIONS].count_documents({}) == 550
