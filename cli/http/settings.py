"""Settings of the HTTP API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from cli.http.routes import SERVICES
from shared.settings import ServerSettings

_TARGET = "^[^/:]+:[0-9]{1,5}$"
Target: TypeAlias = Annotated[str, Field(pattern=_TARGET, examples=["scoring.internal:50052"])]


class HttpSettings(ServerSettings):
    """What Envoy listens on, and the services behind it. Its number of threads is `LEADSCORE_PROCESSES`."""

    ingest_target: Target = Field("127.0.0.1:50051", description="Address of the ingest service.")
    scoring_target: Target = Field("127.0.0.1:50052", description="Address of the scoring service.")
    automation_target: Target = Field(
        "127.0.0.1:50053",
        description="Address of the automation service.",
    )
    intelligence_target: Target = Field(
        "127.0.0.1:50054",
        description="Address of the intelligence service.",
    )
    admin_target: Target = Field("127.0.0.1:50055", description="Address of the admin service.")
    gateway_target: str = Field(
        "",
        pattern=f"{_TARGET}|^$",
        examples=["127.0.0.1:50056"],
        description="Address of the gateway service. Without it, its paths do not exist.",
    )
    cors_origins: str = Field(
        "",
        examples=["https://www.example.com,https://example.com"],
        pattern=r"^(\*|https?://[^/,*\s]+(,https?://[^/,*\s]+)*)?$",
        description="Origins of web pages that may call the API, separated by commas; * for all. Default: none.",
    )
    http_client_cert_file: str = Field(
        "",
        description=(
            "Certificate that Envoy presents to services that require one. It must have none of the names of "
            "LEADSCORE_TLS_SERVICE_NAMES: whoever calls the API would be taken for a service."
        ),
    )
    http_client_key_file: str = Field("", description="Private key of LEADSCORE_HTTP_CLIENT_CERT_FILE.")
    http_config_dir: Path | None = Field(
        None, description="Directory for the configuration of Envoy. Default: a new temporary directory."
    )

    def flaws(self) -> Iterator[str]:
        """Yields a sentence if the certificate has no key, or the key no certificate."""
        yield from super().flaws()
        if bool(self.http_client_cert_file) != bool(self.http_client_key_file):
            yield "set both LEADSCORE_HTTP_CLIENT_CERT_FILE and LEADSCORE_HTTP_CLIENT_KEY_FILE, or neither"

    def targets(self) -> dict[str, str]:
        """Returns the addresses of the gRPC services by the names of their servers."""
        return {server: getattr(self, f"{server}_target") for server in SERVICES}
