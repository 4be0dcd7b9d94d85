"""Parked changes over gRPC."""

from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any, TypeAlias

import grpc
import pytest

from automation_service import store
from automation_service.servicer import ERRORS, AutomationServicer
from shared.inbox import Inbox
from shared.mongo import Database
from shared.parking import Parking
from shared.pb.automation.v1 import automation_pb2 as pb
from shared.pb.automation.v1 import automation_pb2_grpc
from tests.automation.fakes import NOW
from tests.conftest import PARTITIONS
from tests.serving import refusal, served

Stub: TypeAlias = "automation_pb2_grpc.AutomationServiceAsyncStub"


class Unreached:
    """Stands for what is not asked."""

    executions: Any = None


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    made = Inbox(database, store.CHANGES, done=store.DONE, partitions=PARTITIONS)
    await made.migrate()
    parked = {"state": "parked", "attempts": 5, "reason": "KeyError: 'x'", "park_time": NOW}
    rows = [{"_id": f"ada:{number}", "lead_id": "ada", **made.pending_row("ada", NOW)} for number in range(4)]
    await made.rows.insert_many([rows[0], *(row | parked for row in rows[1:])])
    return made


@pytest.fixture
async def stub(inbox: Inbox) -> AsyncIterator[Stub]:
    unreached: Any = Unreached()
    servicer = AutomationServicer(unreached, unreached, Parking(inbox), unreached)
    async with served(
        ERRORS, lambda server: automation_pb2_grpc.add_AutomationServiceServicer_to_server(servicer, server)
    ) as channel:
        yield automation_pb2_grpc.AutomationServiceStub(channel)


async def test_parked_changes_are_listed_page_by_page(stub: Stub) -> None:
    first = await stub.ListParkedChanges(pb.ListParkedChangesRequest(page_size=2))
    assert [each.change_id for each in first.parked_changes] == ["ada:1", "ada:2"]
    [change, _] = first.parked_changes
    assert (change.lead_id, change.attempts, change.reason) == ("ada", 5, "KeyError: 'x'")
    assert change.park_time.ToDatetime(UTC) == NOW
    last = await stub.ListParkedChanges(pb.ListParkedChangesRequest(page_size=2, page_token=first.next_page_token))
    assert [each.change_id for each in last.parked_changes] == ["ada:3"]
    assert last.next_page_token == ""


async def test_a_retry_takes_some_or_all_and_twice_is_once(inbox: Inbox, stub: Stub) -> None:
    some = pb.RetryParkedChangesRequest(change_ids=["ada:0", "ada:1", "unknown"])
    every = pb.RetryParkedChangesRequest(all=True)
    counts = [(await stub.RetryParkedChanges(each)).retried_count for each in (some, some, every, every)]
    assert counts == [1, 0, 2, 0]
    rows = await inbox.pending(range(PARTITIONS), 10)
    assert len(rows) == 4
    assert not any({"attempts", "reason", "park_time"} & row.keys() for row in rows), "they are as they were put"
    assert (await stub.ListParkedChanges(pb.ListParkedChangesRequest())) == pb.ListParkedChangesResponse()


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("ListParkedChanges", pb.ListParkedChangesRequest(page_size=-1), "page_size"),
        ("ListParkedChanges", pb.ListParkedChangesRequest(page_token="?"), "page_token"),  # noqa: S106
        ("RetryParkedChanges", pb.RetryParkedChangesRequest(), "change_ids"),
        ("RetryParkedChanges", pb.RetryParkedChangesRequest(change_ids=["a"], all=True), "change_ids"),
        ("RetryParkedChanges", pb.RetryParkedChangesRequest(change_ids=["a\0"]), "change_ids[0]"),
        ("RetryParkedChanges", pb.RetryParkedChangesRequest(change_ids=["a"] * 501), "change_ids"),
    ],
)
async def test_a_bad_argument_is_named(stub: Stub, method: str, request_: Any, field: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await getattr(stub, method)(request_)
    code, _, fields = refusal(caught.value)
    assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
