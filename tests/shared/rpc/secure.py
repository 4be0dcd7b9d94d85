"""A server over TLS that says who calls, and settings for both sides."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from cli.local.embedded import free_port
from shared.rpc.handlers import Context
from shared.rpc.health import listen
from shared.rpc.tls import server_credentials
from shared.settings import CallerSettings


def settings_of(*parts: dict[str, str], **others: str) -> CallerSettings:
    """Returns the settings that environments such as those of `testkit.certificates` give."""
    values: dict[str, Any] = {
        name.removeprefix("LEADSCORE_").lower(): value for part in parts for name, value in part.items()
    }
    return CallerSettings(**values | others)


class Doorman:
    """`Ask` returns the names in the caller's certificate; `Wait` does so once `free` is set."""

    def __init__(self) -> None:
        self.busy = asyncio.Event()
        self.free = asyncio.Event()

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the methods to a server."""
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                method, request_deserializer=StringValue.FromString, response_serializer=StringValue.SerializeToString
            )
            for name, method in (("Ask", self._ask), ("Wait", self._wait))
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Doorman", handlers),))

    async def _ask(self, request: StringValue, context: Context) -> StringValue:
        names = context.auth_context().get("x509_subject_alternative_name", ())
        return StringValue(value=",".join(name.decode() for name in names))

    async def _wait(self, request: StringValue, context: Context) -> StringValue:
        self.busy.set()
        await self.free.wait()
        return await self._ask(request, context)


@contextlib.asynccontextmanager
async def guarding(
    settings: CallerSettings, doorman: Doorman | None = None, *, pair: tuple[bytes, bytes] | None = None
) -> AsyncIterator[str]:
    """Serves with some settings and yields the address; a `pair` of key and certificate is served unchecked."""
    server = grpc.aio.server()
    (doorman or Doorman()).register(server)
    credentials = grpc.ssl_server_credentials([pair]) if pair else server_credentials(settings)
    address = listen(server, "127.0.0.1", free_port(), "LEADSCORE_PORT", credentials)
    await server.start()
    try:
        yield address
    finally:
        await server.stop(None)


async def ask(channel: grpc.aio.Channel, name: str = "Ask") -> str:
    """Calls a method of the doorman."""
    method = channel.unary_unary(f"/test.Doorman/{name}", StringValue.SerializeToString, StringValue.FromString)
    answer: StringValue = await method(StringValue())
    return answer.value


async def handshake(address: str, context: ssl.SSLContext) -> "Handshake":
    """Connects by Python's own TLS and returns what was agreed on.

    Raises:
        ssl.SSLError: There is no agreement.
    """
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=host)
    try:
        return Handshake(writer.get_extra_info("ssl_object"))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class Handshake:
    """What client and server have agreed on."""

    def __init__(self, agreed: ssl.SSLObject) -> None:
        cipher = agreed.cipher()
        assert cipher is not None
        self.cipher = cipher[0]
        self.protocol = agreed.version()
        self.application = agreed.selected_alpn_protocol()
        self.certificate = agreed.getpeercert(binary_form=True) or b""
