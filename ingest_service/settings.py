"""The settings of the ingest service: `LEADSCORE_<NAME>` in the environment."""

from pydantic import Field

from shared.settings import ServerSettings, StoreSettings


class IngestSettings(ServerSettings, StoreSettings):
    """Server and store; nothing of its own."""

    port: int = Field(50051, ge=1, le=65535, description="Port to listen on.")
