"""The list of the names of settings has those of every process, and no other."""

from collections.abc import Iterator

from admin_service.settings import AdminSettings
from automation_service.settings import AutomationSettings
from cli.http.settings import HttpSettings
from gateway_service.settings import GatewaySettings
from ingest_service.settings import IngestSettings
from intelligence_service.settings import IntelligenceSettings
from scoring_service.settings import ScoringSettings
from shared.known_settings import NAMES

KINDS = (
    AdminSettings,
    AutomationSettings,
    GatewaySettings,
    HttpSettings,
    IngestSettings,
    IntelligenceSettings,
    ScoringSettings,
)
OF_THE_COMMAND = {"LEADSCORE_BASE_PORT", "LEADSCORE_SECRETS_DIR"}


def names() -> Iterator[str]:
    for kind in KINDS:
        yield from (f"LEADSCORE_{name.upper()}" for name in kind.model_fields)


def test_the_list_is_complete() -> None:
    assert {*names(), *OF_THE_COMMAND} == NAMES
