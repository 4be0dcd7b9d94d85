"""Typed settings from the environment.

Guarantee: a process validates all of its settings before it starts, or exits with one line per mistake, which names the
variable and what is allowed.
"""

import ipaddress
import os
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.access.token_rules import TokenRules, read_roles, require_safe
from shared.setting_errors import flaws, unknown
from shared.traces import environment

MAX_SECONDS = 86_400.0
"""Maximum of every setting in seconds: one day. Much longer values are mistakes, and overflow in MongoDB and Python."""
MAX_PARTITIONS = 4_096
"""Maximum number of partitions of an inbox."""

Seconds: TypeAlias = Annotated[float, Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False)]


class StartupError(Exception):
    """The process cannot start. The text says how to fix the problem: one line, or more if settings have more flaws."""


class ProcessSettings(BaseSettings):
    """Settings of every process. Each field is read from `LEADSCORE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="LEADSCORE_", frozen=True)

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Minimum level of log lines.")

    def flaws(self) -> Iterator[str]:
        """Yields a sentence for each way in which settings do not fit together, although each of them is valid."""
        yield from environment.flaws(os.environ)

    @model_validator(mode="after")
    def _require_that_they_fit_together(self) -> Self:
        if found := [*self.flaws()]:
            raise ValueError("\n".join(found))
        return self


class TlsSettings(ProcessSettings):
    """Settings of every process that serves or calls a service: its own certificate, and which ones it trusts."""

    tls: bool = Field(default=False, description="Call services over TLS; implied by `LEADSCORE_TLS_CA_FILE`.")
    tls_cert_file: str = Field(
        "",
        description="Certificate of this process and those of its issuers, PEM. A server with one serves TLS only, and "
        "the process shows it to servers that require one.",
    )
    tls_key_file: str = Field("", description="Private key of the certificate, PEM, without a passphrase.")
    tls_ca_file: str = Field(
        "",
        description="Certificates of the authorities that this process trusts, PEM; empty means those of the system.",
    )
    tls_server_name: str = Field(
        "", description="Name that the certificates of called servers must have, instead of the host of their address."
    )
    tls_clients: Literal["off", "required"] = Field(
        "off", description="Whether servers require a client certificate from every caller."
    )
    tls_service_names: str = Field(
        "",
        description="DNS names, separated by commas; a caller whose certificate has one of them has the role service.",
    )

    @property
    def serves_tls(self) -> bool:
        """Whether a server with these settings serves TLS."""
        return bool(self.tls_cert_file)

    @property
    def calls_over_tls(self) -> bool:
        """Whether calls to services use TLS."""
        return self.tls or bool(self.tls_ca_file)

    @property
    def service_names(self) -> frozenset[str]:
        """`tls_service_names` as a set."""
        return frozenset(name for name in self.tls_service_names.split(",") if name)

    def flaws(self) -> Iterator[str]:
        """Yields a sentence for each file or setting that is missing beside others."""
        yield from super().flaws()
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            yield "LEADSCORE_TLS_CERT_FILE and LEADSCORE_TLS_KEY_FILE are needed together"
        if self.tls_clients == "required" and not (self.serves_tls and self.tls_ca_file):
            # Any website owner has a certificate that the authorities of the system have signed.
            yield "LEADSCORE_TLS_CLIENTS=required needs LEADSCORE_TLS_CERT_FILE and LEADSCORE_TLS_CA_FILE"
        if self.service_names and self.tls_clients != "required":
            yield "LEADSCORE_TLS_SERVICE_NAMES needs LEADSCORE_TLS_CLIENTS=required"


class CallerSettings(TlsSettings):
    """Settings of every process that calls services."""

    api_key: SecretStr = Field(SecretStr(""), description="API key that this process shows to services that it calls.")
    api_key_file: str = Field(
        "", description="File that the API key is read from instead, and read again when it changes."
    )


class MetricsSettings(ProcessSettings):
    """Settings of every process that has a metrics page."""

    metrics_port: int = Field(
        0,
        ge=0,
        le=65_472,  # the last of 64 processes has a port, too
        description="Port of the metrics page; 0 disables it. Each of several processes takes the next port.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address at which the metrics page listens, without TLS.")
    metrics_seconds: Seconds = Field(15.0, description="How often a server reads its backlog for the page, in seconds.")


class ServerSettings(CallerSettings, MetricsSettings):
    """Settings of every server."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(ge=1, le=65535, description="Port to listen on.")
    processes: int = Field(
        1, ge=1, le=64, description="Number of processes that listen on the port and share the connections."
    )
    insecure: bool = Field(
        default=False,
        description="Allow addresses other than loopback without TLS and authentication.",
    )
    authentication: bool = Field(
        default=False, description="Require an API key, or a client certificate of a service, from every caller."
    )
    oidc_issuer: str = Field("", description="URL of an OpenID Connect issuer whose tokens are accepted beside keys.")
    oidc_audience: str = Field("", description="Audience that these tokens must be for.")
    oidc_roles: str = Field(
        "", description="Roles that the values of the claim give: value=role pairs, separated by commas."
    )
    oidc_roles_claim: str = Field(
        "roles", min_length=1, description="Claim that the roles are read from; may be a path such as a.b."
    )
    oidc_name_claim: str = Field("sub", min_length=1, description="Claim that the caller's name is read from.")
    oidc_leeway_seconds: int = Field(
        60, ge=0, le=600, description="By how many seconds the clocks of the issuer and of this machine may differ."
    )
    reflection: bool = Field(default=True, description="Serve gRPC reflection, for tools such as grpcurl.")
    call_seconds: Seconds = Field(10.0, description="Maximum duration of a unary call, in seconds.")
    call_slots: int = Field(
        32, ge=1, le=100_000, description="Maximum number of concurrent unary calls; a large request counts as several."
    )
    stream_slots: int = Field(
        4,
        ge=1,
        le=1_000,
        description="Maximum number of concurrent streams that read every lead, such as VerifyScores.",
    )
    queue_seconds: Seconds = Field(1.0, description="Maximum time that a call waits for a slot, in seconds.")
    stop_seconds: Seconds = Field(10.0, description="Maximum time to finish calls at shutdown, in seconds.")
    lead_ids: str = Field(
        "",
        pattern="^((trim|nfc|email)(,(trim|nfc|email))*)?$",
        examples=["trim,nfc,email"],
        description=(
            "How lead ids are normalised: any of trim, nfc and email, separated by commas. Cannot be changed once a "
            "database exists."
        ),
    )

    @property
    def token_rules(self) -> TokenRules | None:
        """The `oidc_…` settings; None if there is no issuer."""
        if not self.oidc_issuer:
            return None
        return TokenRules(
            self.oidc_issuer,
            self.oidc_audience,
            read_roles(self.oidc_roles),
            self.oidc_roles_claim,
            self.oidc_name_claim,
            self.oidc_leeway_seconds,
        )

    def flaws(self) -> Iterator[str]:
        """Yields a sentence for each mistake in the rules for tokens, and for a host that is open to others."""
        yield from super().flaws()
        if self.oidc_issuer:
            yield from self._flaws_of_token_rules()
        is_secure = self.serves_tls and self.authentication
        if not (self.insecure or is_secure or _is_loopback(self.host)):
            yield (
                f"LEADSCORE_HOST={self.host} can be reached from other machines, without TLS or authentication: "
                "use 127.0.0.1, set LEADSCORE_TLS_CERT_FILE, LEADSCORE_TLS_KEY_FILE and LEADSCORE_AUTHENTICATION=on, "
                "or set LEADSCORE_INSECURE=true in a network that you trust"
            )

    def _flaws_of_token_rules(self) -> Iterator[str]:
        try:
            require_safe(self.oidc_issuer)
        except ValueError as error:
            yield f"LEADSCORE_OIDC_ISSUER: {error}"
        try:
            read_roles(self.oidc_roles)
        except ValueError as error:
            yield f"LEADSCORE_OIDC_ROLES: {error}"
        if not self.oidc_audience:
            yield "LEADSCORE_OIDC_AUDIENCE is missing: tokens for other programs would be accepted"


class MongoSettings(ProcessSettings):
    """Settings of every process that uses MongoDB."""

    mongo_uri: SecretStr = Field(
        SecretStr("mongodb://127.0.0.1:27017/leadscore?replicaSet=rs0"),
        description="URI of the MongoDB replica set; its path is the name of the database.",
    )


class StoreSettings(MongoSettings):
    """Settings of every process that stores data in MongoDB and uses the Redis doorbell."""

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="URL of Redis, which is used for doorbells only."
    )
    partitions: int = Field(
        64,
        ge=1,
        le=MAX_PARTITIONS,
        description="Number of partitions of every inbox; cannot be changed once a database exists.",
    )


class WorkerSettings(CallerSettings, MetricsSettings):
    """Settings of every worker."""

    health_port: int = Field(ge=0, le=65535, description="Port of a worker's health service; 0 disables it.")
    worker_lanes: int = Field(
        4, ge=1, le=16, description="Number of drain transactions that a worker process runs concurrently."
    )
    batch_rows: int = Field(500, ge=1, le=5000, description="Maximum number of rows in a drain transaction.")
    sweep_age_seconds: Seconds = Field(
        3.0, description="Age from which the sweeper rings again for a pending row, in seconds."
    )
    transaction_seconds: float = Field(
        8.0, gt=0, le=8, allow_inf_nan=False, description="Maximum duration of a drain transaction, in seconds."
    )

    @property
    def sweep_age(self) -> timedelta:
        """`sweep_age_seconds` as a timedelta."""
        return timedelta(seconds=self.sweep_age_seconds)


S = TypeVar("S", bound=ProcessSettings)


def load(settings: type[S]) -> S:
    """Reads settings from the environment, and missing ones from the files of `LEADSCORE_SECRETS_DIR`.

    Each file has the name of the variable in lower case, such as `leadscore_smtp_password`.

    Raises:
        StartupError: Variables are missing or malformed, or a file cannot be read; the text names all of them.
    """
    secrets = os.environ.get("LEADSCORE_SECRETS_DIR")
    if secrets and not Path(secrets).is_dir():
        raise StartupError(f"LEADSCORE_SECRETS_DIR: {secrets} is not a directory")
    try:
        # pydantic only warns of a file that it does not read, such as a link out of the directory.
        with warnings.catch_warnings(action="error", category=UserWarning):
            return settings(_secrets_dir=secrets)  # type: ignore[call-arg]
    except SettingsError as error:
        # The text of a UnicodeError contains a part of the secret.
        reason = "not UTF-8" if isinstance(error.__cause__, UnicodeError) else error.__cause__
        raise StartupError(f"LEADSCORE_SECRETS_DIR: {error}: {reason}") from None
    except ValidationError as error:
        found = flaws(settings, error)
        several = [f"{len(found)} settings are invalid:"] if len(found) > 1 else []
        raise StartupError("\n  ".join([*several, *found])) from None


def unknown_variables() -> list[str]:
    """Returns a sentence for each LEADSCORE_* variable, and each file of secrets, that no process reads."""
    secrets = os.environ.get("LEADSCORE_SECRETS_DIR")
    files = Path(secrets).iterdir() if secrets and Path(secrets).is_dir() else ()
    return [*unknown({*os.environ, *(file.name.upper() for file in files)})]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
