"""The settings of the ingest service: `LEADSCORE_<NAME>` in the environment."""

from datetime import timedelta

from pydantic import Field

from ingest_service.domain.backlog import Limits
from shared.settings import MAX_SECONDS, ServerSettings, StoreSettings


class IngestSettings(ServerSettings, StoreSettings):
    """Server and store, and how far scoring may lag behind."""

    port: int = Field(50051, ge=1, le=65535, description="Port to listen on.")
    # Calls that wait together are written together: more places, larger groups.
    call_places: int = Field(
        256, ge=1, le=100_000, description="Unary calls that are worked on at a time; a large request takes several."
    )
    backlog_seconds: float = Field(
        300.0,
        ge=0,
        le=MAX_SECONDS,
        allow_inf_nan=False,
        description=(
            "Age of the oldest event not scored yet, in seconds, above which no more of its lead or partition are "
            "taken; 0: any age."
        ),
    )
    lead_backlog_events: int = Field(
        20_000,
        ge=0,
        le=10_000_000,
        description="Events of one lead not scored yet above which no more of the lead are taken; 0: any number.",
    )

    @property
    def limits(self) -> Limits:
        """`backlog_seconds` and `lead_backlog_events`."""
        return Limits(timedelta(seconds=self.backlog_seconds), self.lead_backlog_events)
