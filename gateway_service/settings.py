"""The settings of the gateway: `LEADSCORE_<NAME>` in the environment."""

from pydantic import Field

from shared.settings import Seconds, ServerSettings


class GatewaySettings(ServerSettings):
    """Settings of the server, the address of the ingest service, and the files that say what requests mean."""

    port: int = Field(50056, ge=1, le=65535, description="Port to listen on, for HTTP.")
    # As many as in the ingest service, whose calls these requests become.
    call_slots: int = Field(
        256, ge=1, le=100_000, description="Maximum number of concurrent requests; a large one counts as several."
    )
    ingest_target: str = Field("127.0.0.1:50051", description="Address of the ingest service.")
    body_seconds: Seconds = Field(10.0, description="Maximum time in which the body of a request arrives, in seconds.")
    segment_mapping: str = Field(
        "", description="Mapping file for the messages of Segment's API, instead of the format `segment`."
    )
    cloudevents_mapping: str = Field(
        "", description="Mapping file for CloudEvents, instead of the format `cloudevents`."
    )
    webhooks_file: str = Field("", description="The file that names the webhooks which the gateway receives.")
