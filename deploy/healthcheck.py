"""`python deploy/healthcheck.py PORT`: exit status 0 when what listens on that port of this machine says SERVING.

For the health checks of containers. Kubernetes and others that speak the gRPC health protocol do not need it.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def main() -> None:
    """Asks for the overall health."""
    with grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=3)  # type: ignore[attr-defined]
        except grpc.RpcError as error:
            sys.exit(f"no answer: {error.code().name}")
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        sys.exit("not serving")


if __name__ == "__main__":
    main()
