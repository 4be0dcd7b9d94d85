"""Services behind the HTTP API that record what they are asked, and answer what a test wants."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import HealthServicer

from cli.http.routes import SERVICES

Answer = Callable[[Any, Any], Any]
"""What a method does with a request and a context: returns a response, or an iterable of them; or aborts."""


class Services(grpc.GenericRpcHandler):
    """All services at one port. A method answers with an empty message unless a test says otherwise."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.calls: list[tuple[str, Message, dict[str, str]]] = []
        self._methods: dict[str, MethodDescriptor] = {
            f"/{service.full_name}/{method.name}": method for service in SERVICES.values() for method in service.methods
        }

    def service(self, details: Any) -> Any:
        """Returns the handler of a call, as grpc asks for it."""
        method = self._methods.get(details.method)
        return self._handler(method) if method else None

    def last(self) -> tuple[str, Message, dict[str, str]]:
        """Returns the method, the request and the metadata of the last call."""
        return self.calls[-1]

    def _handler(self, method: MethodDescriptor) -> Any:
        request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)

        def answer(asked: Message, context: Any) -> Any:
            self.calls.append((method.name, asked, dict(context.invocation_metadata())))
            chosen = self.answers.get(method.name)
            if chosen:
                return chosen(asked, context)
            return iter([response()]) if method.server_streaming else response()

        kind = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        return kind(answer, request.FromString, response.SerializeToString)


@contextmanager
def served(credentials: grpc.ServerCredentials | None = None) -> Iterator[tuple[Services, str]]:
    """Serves them on a free port, over TLS if there are credentials, and yields them with their address."""
    services, server = Services(), grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((services,))
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
    address = "127.0.0.1:0"
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield services, f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
