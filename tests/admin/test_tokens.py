"""A server that trusts an issuer lets the bearers of its tokens in, with the roles that their claims give."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import grpc
import pytest
from leadscore.admin.v1 import admin_pb2 as pb
from leadscore.admin.v1 import admin_pb2_grpc

from admin_service.access import METHODS
from admin_service.servicer import ERRORS, AdminServicer
from admin_service.settings import AdminSettings
from shared.access import enforcement
from shared.mongo import Database
from shared.settings import load
from testkit.serving import refusal, served
from testkit.waiting import eventually
from tests.admin.calling import Stub, create_request
from tests.shared.access.issuer import Issuer, running_issuer


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """An issuer that the settings in the environment trust."""
    with running_issuer() as issuer:
        for name, value in (
            ("AUTHENTICATION", "on"),
            ("OIDC_ISSUER", issuer.url),
            ("OIDC_AUDIENCE", "leadscore"),
            ("OIDC_ROLES", "sre=admin,analysts=read"),
            ("OIDC_NAME_CLAIM", "email"),
        ):
            monkeypatch.setenv(f"LEADSCORE_{name}", value)
        yield issuer


@asynccontextmanager
async def trusting(database: Database, servicer: AdminServicer) -> AsyncIterator[Stub]:
    settings = load(AdminSettings)
    async with (
        enforcement.opened(database, settings, METHODS, ERRORS, service="admin") as access,
        served(
            ERRORS, lambda server: admin_pb2_grpc.add_AdminServiceServicer_to_server(servicer, server), access=access
        ) as channel,
    ):
        yield admin_pb2_grpc.AdminServiceStub(channel)


def token(issuer: Issuer, role: str, **others: object) -> tuple[tuple[str, str], ...]:
    """Returns the metadata of a call with a token."""
    claims = {"iss": issuer.url, "aud": "leadscore", "email": "ada@example.com", "roles": [role]}
    return (("authorization", f"Bearer {issuer.sign(claims | {'exp': int(time.time()) + 300} | others)}"),)


async def test_the_bearer_of_a_token_is_the_actor(issuer: Issuer, database: Database, servicer: AdminServicer) -> None:
    async with trusting(database, servicer) as stub:

        async def is_let_in() -> bool:
            try:
                await stub.ListApiKeys(pb.ListApiKeysRequest(), metadata=token(issuer, "sre"))
            except grpc.aio.AioRpcError:
                return False
            return True

        await eventually(is_let_in, what="the issuer's keys are fetched")
        made = await stub.CreateApiKey(create_request(), metadata=token(issuer, "sre"))
        assert made.api_key.creator == "ada@example.com"
        log = await stub.ListAuditLog(pb.ListAuditLogRequest(), metadata=token(issuer, "sre"))
        (record,) = log.audit_records
        assert (record.actor, record.key_id, record.method) == ("ada@example.com", "", "CreateApiKey")
        assert (record.object, record.outcome) == ("key named website", "OK")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ListApiKeys(pb.ListApiKeysRequest(), metadata=token(issuer, "analysts"))
        assert refusal(caught.value)[:2] == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
        for wrong in (token(issuer, "sre", aud="other"), token(issuer, "sre", exp=1), ()):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.ListApiKeys(pb.ListApiKeysRequest(), metadata=wrong)
            assert refusal(caught.value)[:2] == (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN")
            assert caught.value.details() == "the API key is missing, unknown, expired or revoked"
