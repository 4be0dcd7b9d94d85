"""Keys are made, listed, revoked and rotated; their texts are shown once and stored nowhere."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from leadscore.admin.v1 import admin_pb2 as pb

from shared import wire
from shared.access.keys import digest, key_id_of
from shared.access.ring import KeyRing
from shared.access.roles import Role
from shared.mongo import Database
from testkit.serving import refusal
from tests.admin.calling import Clock, Stub, create_request, rotate_request

DAY = timedelta(days=1)


async def test_a_new_key_is_accepted_with_its_roles_and_limits(stub: Stub, database: Database, clock: Clock) -> None:
    limits = pb.Limits(per_second=10, burst=20, per_day=1000)
    expires = wire.to_timestamp(clock.now + 90 * DAY)
    request = create_request(roles=[pb.ROLE_READ, pb.ROLE_INGEST, pb.ROLE_READ], limits=limits, expire_time=expires)
    made = await stub.CreateApiKey(request)
    assert made.api_key == pb.ApiKey(
        key_id=key_id_of(made.text),
        name="website",
        roles=[pb.ROLE_INGEST, pb.ROLE_READ],
        limits=limits,
        state=pb.KEY_STATE_LIVE,
        create_time=wire.to_timestamp(clock.now),
        expire_time=expires,
    )
    ring = KeyRing(database, lambda: clock.now.timestamp())
    await ring.refresh()
    caller = ring.caller(made.text)
    assert caller is not None
    assert (caller.name, caller.key_id) == ("website", made.api_key.key_id)
    assert caller.roles == {Role.INGEST, Role.READ}
    assert caller.limits is not None
    assert (caller.limits.per_second, caller.limits.burst, caller.limits.per_day) == (10, 20, 1000)


async def test_the_text_of_a_key_is_stored_nowhere(stub: Stub, database: Database) -> None:
    text = (await stub.CreateApiKey(create_request())).text
    secret = text.rpartition("_")[2]
    (row,) = await database["api_keys"].find().to_list()
    assert bytes(row["digest"]) == digest(text)
    assert secret not in repr(row)
    listed = await stub.ListApiKeys(pb.ListApiKeysRequest())
    assert secret not in str(listed)


async def test_a_repeated_request_makes_no_second_key(stub: Stub, database: Database) -> None:
    request = create_request()
    first = await stub.CreateApiKey(request)
    for repeated in (request, create_request(name="other", request_id=request.request_id)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.CreateApiKey(repeated)
        assert refusal(caught.value) == (grpc.StatusCode.ALREADY_EXISTS, "KEY_EXISTS", ["request_id"])
        assert first.api_key.key_id in (caught.value.details() or "")
    assert await database["api_keys"].count_documents({}) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"), ({"name": "a" * 257}, "name"), ({"name": "a\0"}, "name"),
        ({"roles": []}, "roles"), ({"roles": [pb.ROLE_UNSPECIFIED]}, "roles[0]"),
        ({"roles": [pb.ROLE_READ, 99]}, "roles[1]"),
        ({"request_id": ""}, "request_id"),
        ({"expire_time": wire.to_timestamp(wire.EPOCH)}, "expire_time"),
        ({"limits": pb.Limits(per_second=-1)}, "limits.per_second"),
        ({"limits": pb.Limits(burst=5)}, "limits.burst"),
        ({"limits": pb.Limits(per_day=10**12)}, "limits.per_day"),
    ],
)  # fmt: skip
async def test_a_key_with_an_invalid_field_is_refused(stub: Stub, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.CreateApiKey(create_request(**fields))
    assert refusal(caught.value) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", [field])


async def test_a_revoked_key_is_revoked_for_good(stub: Stub, database: Database, clock: Clock) -> None:
    made = await stub.CreateApiKey(create_request())
    first = (await stub.RevokeApiKey(pb.RevokeApiKeyRequest(key_id=made.api_key.key_id))).api_key
    assert (first.state, first.revoke_time) == (pb.KEY_STATE_REVOKED, wire.to_timestamp(clock.now))
    clock.now += DAY
    assert (await stub.RevokeApiKey(pb.RevokeApiKeyRequest(key_id=first.key_id))).api_key == first
    ring = KeyRing(database)
    await ring.refresh()
    assert ring.caller(made.text) is None
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RotateApiKey(rotate_request(first.key_id))
    assert refusal(caught.value)[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "KEY_REVOKED")


async def test_an_unknown_key_is_not_found(stub: Stub) -> None:
    for call in (
        stub.RevokeApiKey(pb.RevokeApiKeyRequest(key_id="nothing")),
        stub.RotateApiKey(rotate_request("nothing")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert refusal(caught.value)[:2] == (grpc.StatusCode.NOT_FOUND, "KEY_NOT_FOUND")


async def test_both_keys_can_be_used_during_a_rotation(stub: Stub, database: Database, clock: Clock) -> None:
    expires = wire.to_timestamp(clock.now + 90 * DAY)
    old = await stub.CreateApiKey(create_request(expire_time=expires, limits=pb.Limits(per_day=5)))
    clock.now += 80 * DAY
    new = await stub.RotateApiKey(rotate_request(old.api_key.key_id))
    assert new.old_api_key.key_id == new.api_key.replaces == old.api_key.key_id
    assert (new.api_key.name, new.api_key.limits) == ("website", pb.Limits(per_day=5))
    assert new.api_key.roles == [pb.ROLE_INGEST]
    assert new.api_key.expire_time == wire.to_timestamp(clock.now + 90 * DAY)
    ring = KeyRing(database, lambda: clock.now.timestamp())
    await ring.refresh()
    assert ring.caller(old.text) is not None
    assert ring.caller(new.text) is not None
    clock.now += DAY
    assert ring.caller(old.text) is None, "expected the old key to expire after 24 hours"
    assert ring.caller(new.text) is not None


async def test_a_rotation_without_overlap_ends_the_old_key_at_once(stub: Stub, clock: Clock) -> None:
    old = await stub.CreateApiKey(create_request())
    new = await stub.RotateApiKey(rotate_request(old.api_key.key_id, overlap=Duration()))
    assert new.old_api_key.state == pb.KEY_STATE_EXPIRED
    assert not new.api_key.HasField("expire_time")
    live = await stub.ListApiKeys(pb.ListApiKeysRequest())
    assert [key.key_id for key in live.api_keys] == [new.api_key.key_id]


@pytest.mark.parametrize("seconds", [-1, 367 * 86_400, 10**11])
async def test_an_overlap_that_is_no_time_of_up_to_a_year_is_refused(stub: Stub, seconds: int) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RotateApiKey(rotate_request("any", overlap=Duration(seconds=seconds)))
    assert refusal(caught.value) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", ["overlap"])


async def test_a_repeated_rotation_makes_no_second_key(stub: Stub, database: Database) -> None:
    old = await stub.CreateApiKey(create_request())
    request = rotate_request(old.api_key.key_id)
    calls = await asyncio.gather(*(stub.RotateApiKey(request) for _ in range(5)), return_exceptions=True)
    answered = [each for each in calls if isinstance(each, pb.RotateApiKeyResponse)]
    refused = [refusal(each)[1] for each in calls if isinstance(each, grpc.aio.AioRpcError)]
    assert (len(answered), refused) == (1, ["KEY_EXISTS"] * 4)
    assert await database["api_keys"].count_documents({}) == 2


async def test_keys_are_listed_newest_first_in_pages(stub: Stub, clock: Clock) -> None:
    made = []
    for number in range(5):
        clock.now += timedelta(minutes=number % 2)  # some have equal times
        made.append((await stub.CreateApiKey(create_request(name=f"key {number}"))).api_key)
    await stub.RevokeApiKey(pb.RevokeApiKeyRequest(key_id=made[2].key_id))
    for include_dead, expected in ((True, made), (False, [*made[:2], *made[3:]])):
        found: list[pb.ApiKey] = []
        request = pb.ListApiKeysRequest(include_dead=include_dead, page_size=2)
        while True:
            page = await stub.ListApiKeys(request)
            found += page.api_keys
            request.page_token = page.next_page_token
            if not request.page_token:
                break
        assert {key.key_id for key in found} == {key.key_id for key in expected}
        assert len(found) == len(expected)
        times = [wire.to_time(key.create_time) for key in found]
        assert times == sorted(times, reverse=True)


async def test_a_page_token_of_another_query_is_refused(stub: Stub) -> None:
    for _ in range(2):
        await stub.CreateApiKey(create_request())
    token = (await stub.ListApiKeys(pb.ListApiKeysRequest(page_size=1))).next_page_token
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListApiKeys(pb.ListApiKeysRequest(include_dead=True, page_size=1, page_token=token))
    assert refusal(caught.value)[1] == "PAGE_TOKEN_INVALID"
