"""The settings of the programs that containers run."""

from collections.abc import Iterable, Sequence

from admin_service.settings import AdminSettings
from automation_service.settings import AutomationSettings
from cli.http.settings import HttpSettings
from gateway_service.settings import GatewaySettings
from ingest_service.settings import IngestSettings
from intelligence_service.settings import IntelligenceSettings
from scoring_service.settings import ScoringSettings
from shared.settings import ProcessSettings
from shared.traces import environment

SETTINGS: dict[str, type[ProcessSettings]] = {
    "admin_service": AdminSettings,
    "automation_service": AutomationSettings,
    "cli.http": HttpSettings,
    "gateway_service": GatewaySettings,
    "ingest_service": IngestSettings,
    "intelligence_service": IntelligenceSettings,
    "scoring_service": ScoringSettings,
}
"""By the module that `python -m` runs."""
_OF_EVERY_PROCESS = {"LEADSCORE_SECRETS_DIR", *environment.ENDPOINTS, environment.SAMPLER, environment.SHARE}


def unknown(names: Iterable[str]) -> set[str]:
    """Returns the names that are no setting of any program."""
    known = {f"LEADSCORE_{field.upper()}" for settings in SETTINGS.values() for field in settings.model_fields}
    return set(names) - known - _OF_EVERY_PROCESS


def port_of(arguments: Sequence[str], environment: dict[str, str]) -> int:
    """Returns the port that a server, or the health of a worker, has with the arguments of its container."""
    module, command = arguments
    name = "health_port" if command == "work" else "port"
    default = SETTINGS[module].model_fields[name].default
    return int(environment.get(f"LEADSCORE_{name.upper()}", default))
