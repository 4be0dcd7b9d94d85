"""The first key, which is stored without the help of another one."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from leadscore.admin.v1 import admin_pb2 as pb

from admin_service.settings import AdminSettings
from admin_service.usecases.keys import Draft, KeyBook
from shared.access.keys import key_id_of
from shared.access.ring import KeyRing
from shared.access.roles import Role
from shared.mongo import Database
from shared.settings import StartupError, load
from tests.admin.calling import Clock, Stub, create_request

FIRST = Draft("admin", frozenset({Role.ADMIN, Role.READ}), "bootstrap")
SERVICES = Draft("services", frozenset({Role.SERVICE}), "bootstrap")


async def test_the_first_key_is_accepted(book: KeyBook, database: Database, clock: Clock) -> None:
    text = await book.create_first(FIRST)
    ring = KeyRing(database, lambda: clock.now.timestamp())
    await ring.refresh()
    caller = ring.caller(text)
    assert caller is not None
    assert caller.roles == {Role.ADMIN, Role.READ}


async def test_there_is_no_second_first_key_while_one_can_be_used(stub: Stub, book: KeyBook, clock: Clock) -> None:
    text = await book.create_first(FIRST)
    assert await book.create_first(FIRST) == ""
    assert await book.create_first(SERVICES), "expected each role to have a first key of its own"
    assert await book.create_first(SERVICES) == ""
    await stub.RevokeApiKey(pb.RevokeApiKeyRequest(key_id=key_id_of(text)))
    assert await book.create_first(FIRST)


async def test_a_key_that_has_expired_does_not_lock_anyone_out(stub: Stub, book: KeyBook, clock: Clock) -> None:
    request = create_request(roles=[pb.ROLE_ADMIN])
    request.expire_time.FromDatetime(clock.now + timedelta(days=1))
    await stub.CreateApiKey(request)
    assert await book.create_first(FIRST) == ""
    clock.now += timedelta(days=1)
    assert await book.create_first(FIRST)


async def test_other_keys_do_not_count(stub: Stub, book: KeyBook) -> None:
    await stub.CreateApiKey(create_request(roles=[pb.ROLE_READ, pb.ROLE_INGEST]))
    assert await book.create_first(FIRST)


async def test_of_many_at_once_one_is_made(book: KeyBook, database: Database) -> None:
    made = await asyncio.gather(*(book.create_first(FIRST) for _ in range(8)))
    assert len([text for text in made if text]) == 1
    assert await database["api_keys"].count_documents({}) == 1


@pytest.mark.parametrize("roles", ["read", "ingest,operate", "", "owner", "admin,owner"])
def test_a_first_key_needs_the_role_admin_or_service(roles: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_BOOTSTRAP_ROLES", roles)
    with pytest.raises(StartupError, match="LEADSCORE_BOOTSTRAP_ROLES"):
        load(AdminSettings)


def test_the_command_prints_the_key_alone_and_then_refuses(database_uri: str) -> None:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | {"LEADSCORE_MONGO_URI": database_uri}
        return subprocess.run(
            [sys.executable, "-m", *arguments], env=environment, capture_output=True, text=True, check=False
        )

    early = run("admin_service", "bootstrap")
    assert (early.returncode, early.stdout) == (1, "")
    assert "run migrate of the admin service" in early.stderr
    assert run("admin_service", "migrate").returncode == 0
    first = run("cli", "keys", "create", "--role", "admin", "--name", "ada", "--bootstrap", "--json")
    made = json.loads(first.stdout)
    assert (made["key_id"], made["name"], made["roles"]) == (key_id_of(made["text"]), "ada", ["ROLE_ADMIN"])
    again = run("cli", "keys", "create", "--role", "admin", "--name", "ada", "--bootstrap")
    assert (again.returncode, again.stdout) == (1, "")
    assert "neither revoked nor expired" in again.stderr
    assert len(again.stderr.splitlines()) == 1
