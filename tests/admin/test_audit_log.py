"""The audit log is listed in pages and by filters."""

from datetime import timedelta
from typing import Any

import grpc
import pytest
from leadscore.admin.v1 import admin_pb2 as pb

from shared import wire
from shared.access.audit import COLLECTION
from shared.mongo import Database
from testkit.serving import refusal
from tests.admin.calling import Clock, Stub

METHODS = ("AdjustLeadScore", "RetractEvent")
ACTORS = ("ada", "grace", "")


@pytest.fixture
async def rows(database: Database, clock: Clock, stub: Stub) -> list[dict[str, Any]]:
    """Twelve records, two at each time, the oldest first."""
    rows = [
        {
            "_id": f"{number:032x}",
            "at": clock.now + timedelta(minutes=number // 2),
            "actor": ACTORS[number % 3],
            "key_id": "aaaaaaaaaaaa",
            "address": "127.0.0.1",
            "service": "scoring",
            "method": METHODS[number % 2],
            "object": f"lead-{number % 4}",
            "outcome": "OK",
        }
        for number in range(12)
    ]
    del rows[0]["outcome"]
    await database[COLLECTION].insert_many(rows)
    return rows


async def listed(stub: Stub, **fields: Any) -> list[pb.AuditRecord]:
    request, found = pb.ListAuditLogRequest(**fields), list[pb.AuditRecord]()
    while True:
        page = await stub.ListAuditLog(request)
        found += page.audit_records
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


@pytest.mark.parametrize("size", [1, 3, 12, 0])
async def test_records_come_newest_first_in_pages(stub: Stub, rows: list[dict[str, Any]], size: int) -> None:
    found = await listed(stub, page_size=size)
    assert [each.record_id for each in found] == [row["_id"] for row in reversed(rows)]
    assert found[0] == pb.AuditRecord(
        record_id=rows[-1]["_id"],
        call_time=wire.to_timestamp(rows[-1]["at"]),
        actor="",
        key_id="aaaaaaaaaaaa",
        address="127.0.0.1",
        service="scoring",
        method="RetractEvent",
        object="lead-3",
        outcome="OK",
    )
    assert found[-1].outcome == "", "expected a call that has not ended to have no outcome"


async def test_records_are_filtered(stub: Stub, rows: list[dict[str, Any]], clock: Clock) -> None:
    for fields, expected in (
        ({"actor": "ada"}, [9, 6, 3, 0]),
        ({"object": "lead-2"}, [10, 6, 2]),
        ({"method": "AdjustLeadScore", "actor": "grace"}, [10, 4]),
        ({"from_time": wire.to_timestamp(clock.now + timedelta(minutes=5))}, [11, 10]),
        ({"until_time": wire.to_timestamp(clock.now + timedelta(minutes=1))}, [1, 0]),
        ({"actor": "nobody"}, []),
    ):
        found = await listed(stub, page_size=2, **fields)
        assert [int(each.record_id, 16) for each in found] == expected, fields


async def test_a_page_token_of_another_query_is_refused(stub: Stub, rows: list[dict[str, Any]]) -> None:
    token = (await stub.ListAuditLog(pb.ListAuditLogRequest(page_size=1))).next_page_token
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListAuditLog(pb.ListAuditLogRequest(actor="ada", page_token=token))
    assert refusal(caught.value)[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")
