"""`python deploy/healthcheck.py [PORT]`: exit status 0 when what listens on that port of this machine says SERVING.

For the health checks of containers: run it with the environment of the process that it asks. If that process serves
TLS, it must show the certificate in `LEADSCORE_TLS_CERT_FILE`. Without PORT, it asks every gRPC server and worker that
listens on its usual port, or on the one that the environment names; a container has one. Kubernetes and others that
speak the gRPC health protocol without TLS do not need this script.
"""

import os
import socket
import sys
from pathlib import Path

import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

USUAL_PORTS = (50051, 50052, 50053, 50054, 50055, 50061, 50062)
"""Of the servers, then of the workers."""


def main() -> None:
    """Asks for the overall health."""
    ports = sys.argv[1:2] or [str(port) for port in usual_ports() if is_open(port)]
    if not ports:
        sys.exit("nothing listens")
    for port in ports:
        ask(port)


def usual_ports() -> set[int]:
    """Returns the ports that a server or worker of leadscore may listen on."""
    named = (os.environ.get(f"LEADSCORE_{name}") for name in ("PORT", "HEALTH_PORT"))
    return {*USUAL_PORTS, *(int(port) for port in named if port)}


def is_open(port: int) -> bool:
    """Returns whether something listens on a port of this machine."""
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def ask(port: str) -> None:
    """Ends the process with status 1 unless what listens on the port says SERVING."""
    with open_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=3)  # type: ignore[attr-defined]
        except grpc.RpcError as error:
            sys.exit(f"no answer: {error.code().name}")
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        sys.exit("not serving")


def open_channel(target: str) -> grpc.Channel:
    """Opens a channel, over TLS if the process has a certificate."""
    path = os.environ.get("LEADSCORE_TLS_CERT_FILE")
    if not path:
        return grpc.insecure_channel(target)
    chain, key = Path(path).read_bytes(), Path(os.environ["LEADSCORE_TLS_KEY_FILE"]).read_bytes()
    # The process must have exactly this certificate, whoever signed it and whatever host it is for.
    options = [("grpc.ssl_target_name_override", name_in(chain))]
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(chain, key, chain), options=options)


def name_in(chain: bytes) -> str:
    """Returns a name that a certificate is for."""
    extensions = x509.load_pem_x509_certificates(chain)[0].extensions
    name: str = extensions.get_extension_for_class(x509.SubjectAlternativeName).value[0].value
    return str(name)


if __name__ == "__main__":
    main()
