"""Walks all roles through every method of every service: each is called by those who may, and by nobody else."""

import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from shared.access.authentication import Authentication
from shared.access.enforcement import Access, Methods
from shared.access.errors import ACCESS
from shared.access.roles import Role
from shared.rpc.admission import Admission
from shared.rpc.handlers import Context, guarded
from testkit.serving import refusal
from tests.architecture.method_table import CONTEXTS, methods, services
from tests.shared.access.rings import made, ring_of

UNKNOWN: tuple[grpc.StatusCode, str, Sequence[str]] = (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN", [])
MISSING: tuple[grpc.StatusCode, str, Sequence[str]] = (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING", [])


class System:
    """A server with every method of some services, each of which answers with an empty message."""

    def __init__(self, channel: grpc.aio.Channel, keys: dict[Role, str]) -> None:
        self._channel = channel
        self._keys = keys

    async def call(self, method: MethodDescriptor, *roles: Role, key: str | None = None) -> None:
        """Calls a method with the key of a role or with the given one, or without any."""
        text = key if key is not None else "".join(self._keys[role] for role in roles)
        metadata = (("authorization", f"Bearer {text}"),) if text else ()
        request, response = (message_factory.GetMessageClass(each) for each in (method.input_type, method.output_type))
        path = f"/{method.containing_service.full_name}/{method.name}"
        codecs: Any = {"request_serializer": request.SerializeToString, "response_deserializer": response.FromString}
        if method.server_streaming:
            async for _ in self._channel.unary_stream(path, **codecs)(request(), metadata=metadata):
                pass
        else:
            await self._channel.unary_unary(path, **codecs)(request(), metadata=metadata)

    async def refused(self, method: MethodDescriptor, *roles: Role, key: str | None = None) -> grpc.aio.AioRpcError:
        """Returns the error of a call that must fail."""
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await self.call(method, *roles, key=key)
        return error.value


@contextlib.asynccontextmanager
async def served(context: str, said: Methods) -> AsyncIterator[System]:
    """Serves the methods of a service, with a key for each role."""
    texts, documents = {}, []
    for role in Role:
        texts[role], document = made(role, name=f"key of {role}")
        documents.append(document)
    access = Access(said, Authentication(await ring_of(*documents)))
    server = grpc.aio.server()
    for service in services(context):
        handlers = {method.name: _handler(method) for method in service.methods}
        guarded(server, ACCESS, Admission(32, 1.0), 10.0, access=access).add_registered_method_handlers(
            service.full_name, handlers
        )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield System(channel, texts)
    finally:
        await server.stop(None)


@pytest.mark.parametrize("context", CONTEXTS)
async def test_every_method_admits_the_roles_that_the_table_names(context: str) -> None:
    said = methods(context)
    async with served(context, said) as system:
        for method in _methods(context):
            needed = said.roles[method.name]
            for role in Role:
                if role in _admitted(needed):
                    await system.call(method, role)
                else:
                    error = await system.refused(method, role)
                    assert refusal(error) == MISSING, f"{method.name} called with the role {role}"
                    assert f"role {needed}" in str(error.details()), "the error should name the role that is needed"


@pytest.mark.parametrize("context", CONTEXTS)
async def test_no_method_admits_a_caller_without_a_key(context: str) -> None:
    async with served(context, methods(context)) as system:
        for method in _methods(context):
            assert refusal(await system.refused(method)) == UNKNOWN, method.name


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_method_without_a_row_is_refused(context: str) -> None:
    async with served(context, Methods({})) as system:
        for method in _methods(context):
            assert refusal(await system.refused(method, Role.ADMIN)) == MISSING, method.name


def _methods(context: str) -> list[MethodDescriptor]:
    return [method for service in services(context) for method in service.methods]


def _admitted(needed: Role) -> Collection[Role]:
    return {needed, Role.SERVICE} if needed is Role.READ else {needed}


def _handler(method: MethodDescriptor) -> Any:
    request, response = (message_factory.GetMessageClass(each) for each in (method.input_type, method.output_type))

    async def answer(_: object, __: Context) -> object:
        return response()

    async def stream(_: object, __: Context) -> AsyncIterator[object]:
        yield response()

    codecs: Any = (request.FromString, response.SerializeToString)
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(stream, *codecs)
    return grpc.unary_unary_rpc_method_handler(answer, *codecs)
