"""Parked changes over gRPC."""

from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any, TypeAlias

import bson
import grpc
import pytest
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.automation.v1 import automation_pb2_grpc

from automation_service.servicer import ERRORS, AutomationServicer
from shared.contracts import score_changes
from shared.inbox.collection import Inbox
from shared.inbox.parking import Parking
from shared.mongo import Database
from testkit.serving import refusal, served
from tests.automation.fakes import NOW
from tests.conftest import PARTITIONS

Stub: TypeAlias = "automation_pb2_grpc.AutomationServiceAsyncStub"


class Unreached:
    """Stands for what is not asked."""

    executions: Any = None


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    made = Inbox(database, score_changes.CONTRACT, partitions=PARTITIONS)
    await made.migrate()
    parked = {"state": "parked", "attempts": 5, "reason": "KeyError: 'x'", "reason_code": "TOO_LARGE", "park_time": NOW}
    fields = {"state": "pending", "partition": made.partition_of("ada"), "accept_time": NOW, "count": 1}
    rows = [{"_id": f"ada:{number}", "changes": [{"lead_id": "ada"}], **fields} for number in range(4)]
    await made.rows.insert_many([rows[0], *(row | parked for row in rows[1:])])
    return made


@pytest.fixture
async def stub(inbox: Inbox) -> AsyncIterator[Stub]:
    unreached: Any = Unreached()
    servicer = AutomationServicer(unreached, unreached, unreached, Parking(inbox), unreached, unreached)
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
    assert change.reason_code == pb.PARK_REASON_CODE_TOO_LARGE
    last = await stub.ListParkedChanges(pb.ListParkedChangesRequest(page_size=2, page_token=first.next_page_token))
    assert [each.change_id for each in last.parked_changes] == ["ada:3"]
    assert last.next_page_token == ""


async def test_a_parked_change_that_names_no_lead_is_listed(inbox: Inbox, stub: Stub) -> None:
    await inbox.rows.update_one({"_id": "ada:1"}, {"$set": {"changes": [None]}})
    found = await stub.ListParkedChanges(pb.ListParkedChangesRequest())
    assert [each.lead_id for each in found.parked_changes] == ["", "ada", "ada"]


async def test_a_parked_change_that_the_driver_cannot_decode_is_listed(inbox: Inbox, stub: Stub) -> None:
    """A time after the year 9999."""
    damaged = {"lead_id": "ada", "last_event_time": bson.DatetimeMS(300_000_000_000_000)}
    await inbox.rows.update_one({"_id": "ada:1"}, {"$set": {"changes": [damaged]}})
    found = await stub.ListParkedChanges(pb.ListParkedChangesRequest())
    assert [each.lead_id for each in found.parked_changes] == ["ada", "ada", "ada"]


async def test_a_retry_takes_some_or_all_and_twice_is_once(inbox: Inbox, stub: Stub) -> None:
    some = pb.RetryParkedChangesRequest(change_ids=["ada:0", "ada:1", "unknown"])
    every = pb.RetryParkedChangesRequest(all=True)
    counts = [(await stub.RetryParkedChanges(each)).retried_count for each in (some, some, every, every)]
    assert counts == [1, 0, 2, 0]
    rows = await inbox.pending(range(PARTITIONS), 10)
    assert len(rows) == 4
    assert not any({"attempts", "reason", "reason_code", "park_time"} & row.keys() for row in rows), (
        "they are as they were put"
    )
    assert (await stub.ListParkedChanges(pb.ListParkedChangesRequest())) == pb.ListParkedChangesResponse()


async def test_discarded_changes_are_never_evaluated_and_twice_is_once(inbox: Inbox, stub: Stub) -> None:
    some = pb.DiscardParkedChangesRequest(change_ids=["ada:0", "ada:1", "unknown"], reason="why", actor="eve")
    every = pb.DiscardParkedChangesRequest(all=True, reason="why", actor="eve")
    counts = [(await stub.DiscardParkedChanges(each)).discarded_count for each in (some, some, every, every)]
    assert counts == [1, 0, 2, 0]
    assert (await stub.RetryParkedChanges(pb.RetryParkedChangesRequest(all=True))).retried_count == 0
    assert [row["_id"] for row in await inbox.pending(range(PARTITIONS), 10)] == ["ada:0"]
    row = await inbox.rows.find_one({"_id": "ada:1"})
    assert row is not None
    assert (row["state"], row["discard_reason"], row["discard_actor"]) == ("discarded", "why", "eve")
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
        ("DiscardParkedChanges", pb.DiscardParkedChangesRequest(reason="x", actor="me"), "change_ids"),
        ("DiscardParkedChanges", pb.DiscardParkedChangesRequest(all=True, actor="me"), "reason"),
        ("DiscardParkedChanges", pb.DiscardParkedChangesRequest(all=True, reason="x"), "actor"),
    ],
)
async def test_an_invalid_request_is_refused_with_reason_and_field(
    stub: Stub, method: str, request_: Any, field: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await getattr(stub, method)(request_)
    code, _, fields = refusal(caught.value)
    assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
