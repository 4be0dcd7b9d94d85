"""The settings of the automation service: `LEADSCORE_<NAME>` in the environment."""

from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from automation_service.domain.address import Networks, read_networks
from automation_service.domain.receiver import is_address
from shared.settings import ServerSettings, StoreSettings, WorkerSettings


class AutomationSettings(ServerSettings, StoreSettings, WorkerSettings):
    """Server, store and worker, where the services are that it asks, and how it delivers."""

    port: int = Field(50053, ge=1, le=65535, description="Port to listen on.")
    health_port: int = Field(50062, ge=0, le=65535, description="Port at which a worker tells its health; 0: none.")
    scoring_target: str = Field("127.0.0.1:50052", description="Address of the scoring service.")
    intelligence_target: str = Field("127.0.0.1:50054", description="Address of the intelligence service.")
    delivery_schedule: str = Field(
        "5,300,1800,7200,18000,36000,50400,72000,86400",
        description="Seconds to wait after each failed attempt, separated by commas; after the last one, a delivery "
        "has failed.",
    )
    webhook_http: bool = Field(default=False, description="Allow http URLs, not only https.")
    webhook_networks: str = Field(
        "",
        description="Networks that receivers may be in although they are not public, such as 10.1.0.0/16, separated by "
        "commas.",
    )
    smtp_host: str = Field("", description="Mail server for e-mails; without it there are none.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_tls: str = Field("starttls", pattern="^(starttls|tls|none)$", description="How the connection is encrypted.")
    smtp_user: str = Field("", description="User to log in as; nobody when empty.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password of that user.")
    smtp_sender: str = Field("leadscore@localhost.localdomain", description="Address that e-mails come from.")

    @field_validator("delivery_schedule")
    @classmethod
    def _check_schedule(cls, text: str) -> str:
        if any(not 0 < float(each) <= 30 * 86_400 for each in text.split(",")):
            raise ValueError("each wait must be more than 0 s and at most 30 days")
        return text

    @field_validator("webhook_networks")
    @classmethod
    def _check_networks(cls, text: str) -> str:
        read_networks(text.split(","))
        return text

    @model_validator(mode="after")
    def _require_a_sender(self) -> Self:
        if self.smtp_host and not is_address(self.smtp_sender):
            raise ValueError(f"LEADSCORE_SMTP_SENDER={self.smtp_sender} is no e-mail address")
        return self

    @property
    def schedule(self) -> tuple[timedelta, ...]:
        """`delivery_schedule` as spans."""
        return tuple(timedelta(seconds=float(each)) for each in self.delivery_schedule.split(","))

    @property
    def networks(self) -> Networks:
        """`webhook_networks` as networks."""
        return read_networks(self.webhook_networks.split(","))
