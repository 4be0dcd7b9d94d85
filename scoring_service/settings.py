"""The settings of the scoring service: `LEADSCORE_<NAME>` in the environment."""

from pydantic import Field, field_validator

from scoring_service.domain.calendar import zone
from shared.cores import usable_cores
from shared.settings import ServerSettings, StoreSettings, WorkerSettings
from shared.stale_reads import StaleReadSettings

MAX_HELPERS = 64


class ScoringSettings(ServerSettings, StoreSettings, StaleReadSettings, WorkerSettings):
    """The settings of the server, the store and the worker, and the time zone in which dates begin."""

    port: int = Field(50052, ge=1, le=65535, description="Port to listen on.")
    health_port: int = Field(50061, ge=0, le=65535, description="Port of a worker's health service; 0 disables it.")
    time_zone: str = Field(
        "UTC", description="IANA name of the time zone in which dates begin: those of decay ticks and of date buckets."
    )

    helpers: int | None = Field(
        None,
        ge=0,
        le=MAX_HELPERS,
        description="Processes that a server starts for streams that read every lead; by default one per core, if it "
        "has several.",
    )

    @property
    def helper_count(self) -> int:
        """The number of helper processes; 0 if the server does the work itself."""
        if self.helpers is not None:
            return self.helpers
        cores = usable_cores(MAX_HELPERS)
        return cores if cores > 1 else 0

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        return zone(name).key
