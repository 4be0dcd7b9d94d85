"""`python deploy/healthcheck.py PORT`: exit status 0 when what listens on that port of this machine says SERVING.

For the health checks of containers: run it with the environment of the process that it asks. If that process serves
TLS, it must show the certificate in `LEADSCORE_TLS_CERT_FILE`. Kubernetes and others that speak the gRPC health
protocol without TLS do not need this script.
"""

import os
import sys
from pathlib import Path

import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc


def main() -> None:
    """Asks for the overall health."""
    with open_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
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
