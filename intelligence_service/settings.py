"""The settings of the intelligence service: `LEADSCORE_<NAME>` in the environment."""

from pydantic import Field

from shared.settings import MongoSettings, ServerSettings


class IntelligenceSettings(ServerSettings, MongoSettings):
    """The settings of the server, the address of the scoring service, and the database whose changes are watched."""

    port: int = Field(50054, ge=1, le=65535, description="Port to listen on.")
    scoring_target: str = Field("127.0.0.1:50052", description="Address of the scoring service.")
