"""The audit log, with a real MongoDB: a row before the call has any effect, and its outcome after."""

import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from shared import wire
from shared.access.audit import COLLECTION, ENVOY_HEADER, AuditLog, address_of
from shared.access.authentication import Authentication
from shared.access.enforcement import Access, Methods
from shared.access.errors import ACCESS
from shared.access.ring import KeyRing
from shared.access.roles import Role
from shared.mongo import Database, Document
from shared.rpc.admission import Admission, Streams
from shared.rpc.handlers import guarded
from testkit.waiting import eventually
from tests.shared.access.rings import made, ring_of
from tests.shared.rpc.teapot import ERRORS, POUR, STREAMS, WATCH, Empty, Kitchen, Teapot

ROLES = {"Pour": Role.OPERATE, "Stream": Role.OPERATE, "Watch": Role.OPERATE}


def _tea(request: StringValue) -> str:
    return "" if request.value == "nothing" else f"tea {request.value}"


METHODS = Methods(roles=ROLES, audited={"Pour": _tea, "Watch": _tea})
CODECS = (StringValue.SerializeToString, StringValue.FromString)


@contextlib.asynccontextmanager
async def served(database: Database, kitchen: Kitchen, ring: KeyRing | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """Serves an audited teapot."""
    errors = {**ERRORS, **ACCESS}
    authentication = Authentication(ring) if ring else None
    access = Access(METHODS, authentication, audit=AuditLog(database, "teapot", errors))
    server = grpc.aio.server()
    Teapot(kitchen.pour).register(guarded(server, errors, Admission(8, 1.0), 10.0, Streams(STREAMS), access=access))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


async def rows(database: Database) -> list[Document]:
    return await database[COLLECTION].find().sort("at").to_list()


async def pour(channel: grpc.aio.Channel, tea: str, key: str = "") -> None:
    metadata = (("authorization", f"Bearer {key}"),) if key else ()
    await channel.unary_unary(POUR, *CODECS)(StringValue(value=tea), metadata=metadata)


async def test_a_call_leaves_a_row(database: Database) -> None:
    key, document = made(Role.OPERATE, name="ada")
    before = wire.now()
    async with served(database, Kitchen(), await ring_of(document)) as channel:
        await pour(channel, "assam", key)
    (row,) = await rows(database)
    assert before <= row.pop("at") <= wire.now()
    assert len(row.pop("_id")) == 32
    assert row == {
        "actor": "ada",
        "key_id": document["_id"],
        "address": "127.0.0.1",
        "service": "teapot",
        "method": "Pour",
        "object": "tea assam",
        "outcome": "OK",
    }


async def test_a_call_through_the_http_door_leaves_both_addresses(database: Database) -> None:
    async with served(database, Kitchen()) as channel:
        metadata = ((ENVOY_HEADER, "203.0.113.7"),)
        await channel.unary_unary(POUR, *CODECS)(StringValue(value="assam"), metadata=metadata)
    (row,) = await rows(database)
    assert row["address"] == "127.0.0.1 for 203.0.113.7"


async def test_without_authentication_a_row_has_no_key(database: Database) -> None:
    async with served(database, Kitchen()) as channel:
        await pour(channel, "assam")
    (row,) = await rows(database)
    assert (row["actor"], row["key_id"]) == ("", "")


async def test_a_call_that_fails_leaves_its_code(database: Database) -> None:
    async with served(database, Kitchen(error=Empty())) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await pour(channel, "fail")
    (row,) = await rows(database)
    assert row["outcome"] == "FAILED_PRECONDITION"


async def test_a_caller_without_the_role_leaves_no_row(database: Database) -> None:
    key, document = made(Role.READ)
    async with served(database, Kitchen(), await ring_of(document)) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await pour(channel, "assam", key)
    assert await rows(database) == []


async def test_a_request_that_changes_nothing_leaves_no_row(database: Database) -> None:
    async with served(database, Kitchen()) as channel:
        await pour(channel, "nothing")
    assert await rows(database) == []


async def test_a_long_text_is_cut(database: Database) -> None:
    async with served(database, Kitchen()) as channel:
        await pour(channel, "x" * 10_000)
    (row,) = await rows(database)
    assert len(row["object"]) == 256


async def test_the_row_is_there_before_the_call_has_any_effect(database: Database) -> None:
    kitchen = Kitchen(waits=True)
    async with served(database, kitchen) as channel:
        call = channel.unary_unary(POUR, *CODECS)(StringValue(value="assam"))
        await kitchen.busy.wait()
        (row,) = await rows(database)
        assert "outcome" not in row
        kitchen.free.set()
        await call
    (row,) = await rows(database)
    assert row["outcome"] == "OK"


async def test_a_caller_who_leaves_does_not_prevent_the_outcome(database: Database) -> None:
    kitchen = Kitchen(waits=True)
    async with served(database, kitchen) as channel:
        call = channel.unary_unary(POUR, *CODECS)(StringValue(value="assam"))
        await kitchen.busy.wait()
        call.cancel()

        async def has_outcome() -> bool:
            (row,) = await rows(database)
            return row.get("outcome") == "CANCELLED"

        await eventually(has_outcome, what="the outcome of a call that was cancelled")


async def test_a_stream_leaves_one_row(database: Database) -> None:
    async with served(database, Kitchen()) as channel:
        async for _ in channel.unary_stream(WATCH, *CODECS)(StringValue(value="one two three")):
            pass
    (row,) = await rows(database)
    assert (row["method"], row["object"], row["outcome"]) == ("Watch", "tea one two three", "OK")


async def test_without_a_row_the_call_is_refused(database: Database) -> None:
    kitchen = Kitchen()
    await database.create_collection(COLLECTION, validator={"never": {"$exists": True}})
    async with served(database, kitchen) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await pour(channel, "assam")
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert not kitchen.busy.is_set(), "the call should not have begun"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.7:51234", "192.0.2.7"),
        ("ipv6:%5B2001:db8::1%5D:51234", "2001:db8::1"),
        ("ipv6:[2001:db8::1]:51234", "2001:db8::1"),
        ("unix:/run/leadscore.sock", "unix:/run/leadscore.sock"),
    ],
)
def test_an_address_is_that_of_the_host(peer: str, address: str) -> None:
    assert address_of(peer) == address
