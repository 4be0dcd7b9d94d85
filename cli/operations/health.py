"""Health of servers and workers, by the gRPC health protocol."""

from enum import Enum

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.terminal.connection import open_channel


class Health(Enum):
    """What a process reports about itself."""

    SERVING = "serving"
    NOT_SERVING = "not serving"
    UNKNOWN_NAME = "unknown name"
    """The process answers, but does not know the name."""
    NO_ANSWER = "no answer"


def ask(target: str, name: str, *, seconds: float) -> Health:
    """Returns the health of a name, as reported by the process at an address within `seconds`."""
    with open_channel(target) as channel:
        try:
            request = health_pb2.HealthCheckRequest(service=name)
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=seconds)  # type: ignore[attr-defined]  # the stubs lack it
        except grpc.RpcError as error:
            return Health.UNKNOWN_NAME if error.code() is grpc.StatusCode.NOT_FOUND else Health.NO_ANSWER
    return Health.SERVING if answer.status == health_pb2.HealthCheckResponse.SERVING else Health.NOT_SERVING
