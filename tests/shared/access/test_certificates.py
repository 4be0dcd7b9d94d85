"""Callers who show a client certificate instead of a key: the services themselves, and nobody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from cli.local.embedded import free_port
from shared.access import callers
from shared.access.authentication import Authentication
from shared.access.enforcement import Access, Methods
from shared.access.errors import ACCESS
from shared.access.keys import new_key
from shared.access.roles import Role
from shared.rpc.admission import Admission
from shared.rpc.channels import connect
from shared.rpc.handlers import guarded
from shared.rpc.health import listen
from shared.rpc.tls import server_credentials
from testkit.certificates import Authority
from testkit.serving import refusal
from tests.shared.access.rings import made, ring_of
from tests.shared.rpc.secure import settings_of
from tests.shared.rpc.teapot import POUR, Teapot

METHODS = Methods(roles={"Pour": Role.READ, "Stream": Role.OPERATE, "Watch": Role.READ})
KEY, DOCUMENT = made(Role.READ, name="website")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def serving(authority: Authority) -> AsyncIterator[str]:
    """Serves a teapot that requires certificates and knows the service `scoring.internal`; yields the address."""
    settings = settings_of(authority.issue("server"), authority.trusted(), tls_clients="required")

    async def who(_: str) -> str:
        caller = callers.current()
        return f"{caller.name} {','.join(caller.roles)}" if caller else ""

    server = grpc.aio.server()
    access = Access(METHODS, Authentication(await ring_of(DOCUMENT), {"scoring.internal"}))
    Teapot(who).register(guarded(server, ACCESS, Admission(8, 1.0), 10.0, access=access))
    address = listen(server, "127.0.0.1", free_port(), "LEADSCORE_PORT", server_credentials(settings))
    await server.start()
    try:
        yield address
    finally:
        await server.stop(None)


async def pour(address: str, authority: Authority, name: str, key: str = "") -> str:
    """Calls the teapot with a certificate for a name, and with a key if there is one."""
    settings = settings_of(authority.issue("caller", name), authority.trusted())
    metadata = (("authorization", f"Bearer {key}"),) if key else ()
    async with connect(address, settings) as channel:
        method = channel.unary_unary(POUR, StringValue.SerializeToString, StringValue.FromString)
        answer: StringValue = await method(StringValue(value="tea"), metadata=metadata)
        return answer.value


async def test_the_certificate_of_a_service_gives_the_role_service(authority: Authority) -> None:
    async with serving(authority) as address:
        assert await pour(address, authority, "scoring.internal") == "scoring.internal service"


async def test_any_other_certificate_gives_no_role(authority: Authority) -> None:
    async with serving(authority) as address:
        for name in ("website.internal", "scoring.internal.example", "internal"):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await pour(address, authority, name)
            assert refusal(error.value) == (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN", []), name


async def test_a_key_counts_before_a_certificate(authority: Authority) -> None:
    async with serving(authority) as address:
        assert await pour(address, authority, "scoring.internal", KEY) == "website read"
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await pour(address, authority, "scoring.internal", new_key().text)
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
