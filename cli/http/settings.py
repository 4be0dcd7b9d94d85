"""Settings of the HTTP API."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from cli.http.routes import SERVICES
from shared.settings import ServerSettings

_TARGET = "^[^/:]+:[0-9]{1,5}$"


class HttpSettings(ServerSettings):
    """What Envoy listens on, and the services behind it. Its number of threads is `LEADSCORE_PROCESSES`."""

    ingest_target: str = Field("127.0.0.1:50051", pattern=_TARGET, description="Address of the ingest service.")
    scoring_target: str = Field("127.0.0.1:50052", pattern=_TARGET, description="Address of the scoring service.")
    automation_target: str = Field("127.0.0.1:50053", pattern=_TARGET, description="Address of the automation service.")
    intelligence_target: str = Field(
        "127.0.0.1:50054", pattern=_TARGET, description="Address of the intelligence service."
    )
    admin_target: str = Field("127.0.0.1:50055", pattern=_TARGET, description="Address of the admin service.")
    gateway_target: str = Field(
        "", pattern=f"{_TARGET}|^$", description="Address of the gateway service. Without it, its paths do not exist."
    )
    cors_origins: str = Field(
        "",
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

    @model_validator(mode="after")
    def _require_both_files(self) -> Self:
        if bool(self.http_client_cert_file) != bool(self.http_client_key_file):
            raise ValueError("set both LEADSCORE_HTTP_CLIENT_CERT_FILE and LEADSCORE_HTTP_CLIENT_KEY_FILE, or neither")
        return self

    def targets(self) -> dict[str, str]:
        """Returns the addresses of the gRPC services by the names of their servers."""
        return {server: getattr(self, f"{server}_target") for server in SERVICES}
