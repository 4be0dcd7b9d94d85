"""The settings of the admin service: `LEADSCORE_<NAME>` in the environment."""

from pydantic import Field, field_validator

from shared.access.roles import Role
from shared.settings import MongoSettings, ServerSettings


class AdminSettings(ServerSettings, MongoSettings):
    """The settings of the server, the database, and the first key."""

    port: int = Field(50055, ge=1, le=65535, description="Port to listen on.")
    scoring_target: str = Field("127.0.0.1:50052", description="Address of the scoring service.")
    bootstrap_name: str = Field(
        "admin", min_length=1, max_length=256, description="Name of the key that `bootstrap` makes."
    )
    bootstrap_roles: str = Field(
        "admin", description="Roles of that key, separated by commas; `admin` or `service` must be among them."
    )

    @field_validator("bootstrap_roles")
    @classmethod
    def _check_roles(cls, text: str) -> str:
        unknown = sorted(set(text.split(",")) - set(Role))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not a role: {', '.join(Role)}")
        if not frozenset(map(Role, text.split(","))) & {Role.ADMIN, Role.SERVICE}:
            raise ValueError("neither admin nor service is among them: make other keys with `leadscore keys create`")
        return text

    @property
    def first_roles(self) -> frozenset[Role]:
        """`bootstrap_roles` as roles."""
        return frozenset(map(Role, self.bootstrap_roles.split(",")))
