"""The settings of the automation service: `LEADSCORE_<NAME>` in the environment."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from automation_service.domain.address import Networks, read_networks
from automation_service.domain.delivery import Schedule
from automation_service.domain.receiver import is_address
from shared.secrets import SecretSettings
from shared.settings import ServerSettings, StoreSettings, WorkerSettings
from shared.stale_reads import StaleReadSettings


class AutomationSettings(ServerSettings, StoreSettings, StaleReadSettings, WorkerSettings, SecretSettings):
    """The settings of server, store and worker, the addresses of other services, and how to deliver."""

    port: int = Field(50053, ge=1, le=65535, description="Port to listen on.")
    health_port: int = Field(50062, ge=0, le=65535, description="Port of a worker's health service; 0 disables it.")
    keep_changes_days: float = Field(
        7, gt=0, le=3650, allow_inf_nan=False, description="Days until processed score changes are deleted."
    )
    scoring_target: str = Field("127.0.0.1:50052", description="Address of the scoring service.")
    intelligence_target: str = Field("127.0.0.1:50054", description="Address of the intelligence service.")
    delivery_schedule: str = Field(
        "5,300,1800,7200,18000,36000,50400,72000,86400",
        description="Seconds to wait after each failed attempt, separated by commas. If the attempt after the last "
        "wait fails, the delivery has failed.",
    )
    refused_delivery_schedule: str = Field(
        "60,600,3600,21600",
        description="The same for attempts that the receiver refused: a status other than 2xx, 408, 410, 425, 429 and "
        "5xx. If it is empty, a refused delivery has failed.",
    )
    webhook_http: bool = Field(default=False, description="Allow http URLs as well as https.")
    webhook_networks: str = Field(
        "",
        description="Non-public networks that receivers may be in, such as 10.1.0.0/16, separated by commas.",
    )
    smtp_host: str = Field("", description="Mail server. If it is empty, e-mail is disabled.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="Encryption of the connection to the mail server."
    )
    smtp_user: str = Field("", description="User to log in as. If it is empty, there is no login.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password of that user.")
    smtp_sender: str = Field("leadscore@localhost.localdomain", description="Sender address of e-mails.")

    @field_validator("delivery_schedule", "refused_delivery_schedule")
    @classmethod
    def _check_schedule(cls, text: str) -> str:
        try:
            are_valid = all(0 < float(each) <= 30 * 86_400 for each in text.split(",") if text)
        except ValueError:
            are_valid = False
        if not are_valid:
            raise ValueError(f"is {text!r}, must be numbers of seconds, each above 0 and at most 30 days (2592000)")
        return text

    @field_validator("webhook_networks")
    @classmethod
    def _check_networks(cls, text: str) -> str:
        read_networks(text.split(","))
        return text

    def flaws(self) -> Iterator[str]:
        """Yields a sentence if e-mails would have no valid sender."""
        yield from super().flaws()
        if self.smtp_host and not is_address(self.smtp_sender):
            yield f"LEADSCORE_SMTP_SENDER={self.smtp_sender} is not an e-mail address"

    @property
    def keep_changes(self) -> timedelta:
        """`keep_changes_days` as a timedelta."""
        return timedelta(days=self.keep_changes_days)

    @property
    def schedule(self) -> Schedule:
        """`delivery_schedule` and `refused_delivery_schedule` as durations."""
        return Schedule(_waits(self.delivery_schedule), _waits(self.refused_delivery_schedule))

    @property
    def networks(self) -> Networks:
        """`webhook_networks` as networks."""
        return read_networks(self.webhook_networks.split(","))


def _waits(text: str) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=float(each)) for each in text.split(",") if text)
