"""The settings of the automation service: `LEADSCORE_<NAME>` in the environment."""

from pydantic import Field

from shared.settings import ServerSettings, StoreSettings, WorkerSettings


class AutomationSettings(ServerSettings, StoreSettings, WorkerSettings):
    """Server, store and worker, and where the services are that it asks."""

    port: int = Field(50053, ge=1, le=65535, description="Port to listen on.")
    scoring_target: str = Field("127.0.0.1:50052", description="Address of the scoring service.")
    intelligence_target: str = Field("127.0.0.1:50054", description="Address of the intelligence service.")
