"""The RPCs that erase, export and compact."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from leadscore.admin.v1 import admin_pb2 as pb
from leadscore.admin.v1 import admin_pb2_grpc

from admin_service.access import METHODS
from admin_service.servicer import ERRORS, AdminServicer
from shared import wire
from shared.mongo import Database
from testkit.serving import refusal, served
from tests.admin.calling import Stub
from tests.admin.erasing import LEAD, World, new_world
from tests.scoring.conftest import days_ago

ERASURE = pb.Erasure(request_digest=b"r" * 16, lead_digest=b"l" * 16, erase_time=wire.to_timestamp(days_ago(1)))


@pytest.fixture
async def world(database: Database) -> World:
    return await new_world(database)


@pytest.fixture
async def privacy(world: World) -> AsyncIterator[Stub]:
    nothing: Any = None
    servicer = AdminServicer(nothing, nothing, world.privacy, world.clock)
    async with served(
        ERRORS, lambda server: admin_pb2_grpc.add_AdminServiceServicer_to_server(servicer, server)
    ) as channel:
        yield admin_pb2_grpc.AdminServiceStub(channel)


async def test_a_person_is_told_everything_and_then_forgotten(world: World, privacy: Stub) -> None:
    await world.live()
    told = [each async for each in privacy.ExportLead(pb.ExportLeadRequest(lead_id=LEAD))]
    kinds = {each.collection for each in told}
    assert kinds == {"leads", "score_history", "events", "score_changes", "automation_executions", "audit_log"}
    assert json.loads(told[0].json)["attributes"]["name"] == "Ada Lovelace"
    assert "bystander" not in "".join(each.json for each in told)
    request = pb.EraseLeadRequest(lead_id=LEAD, request_id="r1", actor="Charles")
    erasure = (await privacy.EraseLead(request)).erasure
    assert (erasure.actor, erasure.done, erasure.entry_count > 5) == ("Charles", False, True)
    assert (await privacy.EraseLead(request)).erasure.pseudonyms == erasure.pseudonyms
    await world.settled()
    listed = await privacy.ListErasures(pb.ListErasuresRequest())
    assert [(each.pseudonyms, each.done) for each in listed.erasures] == [(erasure.pseudonyms, True)]
    again = pb.ReapplyErasuresRequest(erasures=listed.erasures, key_id=listed.key_id)
    assert [each.lead_count async for each in privacy.ReapplyErasures(again)] == [0]


async def test_erasures_are_listed_in_pages(world: World, privacy: Stub) -> None:
    for number in range(5):
        world.clock.now += timedelta(seconds=number % 2)
        await world.scoring.put((f"e{number}", f"lead-{number}", "signup", days_ago(1)))
        await privacy.EraseLead(pb.EraseLeadRequest(lead_id=f"lead-{number}", request_id=f"r{number}"))
    request, found = pb.ListErasuresRequest(page_size=2), list[bytes]()
    while True:
        page = await privacy.ListErasures(request)
        found += [each.request_digest for each in page.erasures]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert len(found) == len(set(found)) == 5


async def test_properties_are_removed_with_progress(world: World, privacy: Stub) -> None:
    await world.live()
    request = pb.CompactEventsRequest(before=wire.to_timestamp(days_ago(5)))
    answers = [each async for each in privacy.CompactEvents(request)]
    assert [each.done for each in answers][-1:] == [True]
    assert answers[-1].events_compacted == answers[0].events_compacted > 0


@pytest.mark.parametrize(
    ("method", "request_", "expected"),
    [
        ("EraseLead", pb.EraseLeadRequest(request_id="r"), ("INVALID_ARGUMENT", "lead_id")),
        ("EraseLead", pb.EraseLeadRequest(lead_id="ada"), ("INVALID_ARGUMENT", "request_id")),
        ("EraseLead", pb.EraseLeadRequest(lead_id="nobody", request_id="r"), ("NOT_FOUND", "")),
        ("ExportLead", pb.ExportLeadRequest(), ("INVALID_ARGUMENT", "lead_id")),
        ("ExportLead", pb.ExportLeadRequest(lead_id="nobody"), ("NOT_FOUND", "")),
        ("ReapplyErasures", pb.ReapplyErasuresRequest(), ("INVALID_ARGUMENT", "erasures")),
        (
            "ReapplyErasures",
            pb.ReapplyErasuresRequest(erasures=[pb.Erasure()]),
            ("INVALID_ARGUMENT", "erasures[0].request_digest"),
        ),
        ("ReapplyErasures", pb.ReapplyErasuresRequest(erasures=[ERASURE]), ("FAILED_PRECONDITION", "")),
        ("CompactEvents", pb.CompactEventsRequest(), ("INVALID_ARGUMENT", "before")),
        (
            "CompactEvents",
            pb.CompactEventsRequest(before=wire.to_timestamp(wire.now())),
            ("INVALID_ARGUMENT", "before"),
        ),
    ],
)
async def test_refusals(privacy: Stub, method: str, request_: Message, expected: tuple[str, str]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await answered(getattr(privacy, method)(request_))
    code, _, fields = refusal(error.value)
    assert (code.name, "".join(fields)) == expected
    assert "nobody" not in (error.value.details() or "")


async def answered(call: Any) -> None:
    """Waits for the end of a call, whether it answers once or with a stream."""
    if isinstance(call, grpc.aio.UnaryStreamCall):
        [each async for each in call]
    else:
        await call


def test_every_audited_request_has_a_subject_however_malformed_it_is() -> None:
    request = pb.CompactEventsRequest()
    request.before.seconds, request.before.nanos = -(2**63), -1
    assert METHODS.audited["CompactEvents"](request).startswith("all before Unix time -9")
