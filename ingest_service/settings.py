"""The settings of the ingest service: `LEADSCORE_<NAME>` in the environment."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from ingest_service.domain.backlog import Limits
from shared.settings import MAX_SECONDS, ServerSettings, StoreSettings


class IngestSettings(ServerSettings, StoreSettings):
    """Settings of the server, the store and the backlog limits."""

    port: int = Field(50051, ge=1, le=65535, description="Port to listen on.")
    # More concurrent calls than in other services: calls that wait together are written together.
    call_slots: int = Field(
        256,
        ge=1,
        le=100_000,
        description="Maximum number of concurrent unary calls; a large request counts as several.",
    )
    backlog_seconds: float = Field(
        300.0,
        ge=0,
        le=MAX_SECONDS,
        allow_inf_nan=False,
        description=(
            "Maximum age of an unscored event, in seconds. Above it, the service accepts no more events of its lead "
            "or partition. 0 means no limit."
        ),
    )
    lead_backlog_events: int = Field(
        20_000,
        ge=0,
        le=10_000_000,
        description=(
            "Maximum number of unscored events of one lead. Above it, the service accepts no more events of the lead. "
            "0 means no limit."
        ),
    )

    erased_leads: Literal["refuse", "restart"] = Field(
        "refuse",
        description=(
            "What becomes of further events of a lead that was erased: refuse them, or let the lead begin anew. Events "
            "that were erased are refused in either case."
        ),
    )

    @property
    def limits(self) -> Limits:
        """The limits given by `backlog_seconds` and `lead_backlog_events`."""
        return Limits(timedelta(seconds=self.backlog_seconds), self.lead_backlog_events)
