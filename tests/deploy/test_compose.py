"""docker-compose.yml, and the override file with Prometheus and Grafana."""

import json
import re
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.settings import port_of, unknown

COMPOSE, MONITORING = (
    yaml.safe_load((ROOT / name).read_text()) for name in ("docker-compose.yml", "docker-compose.monitoring.yml")
)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RUNNING = {name: each for name, each in SERVICES.items() if each.get("command", [""])[-1] in {"serve", "work"}}
"""The servers and workers of leadscore."""


@pytest.mark.parametrize("document", [COMPOSE, MONITORING])
def test_the_files_obey_the_published_schema(document: dict[str, Any]) -> None:
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema.validate(document, schema)


def test_every_server_and_worker_has_a_container() -> None:
    programs = {tuple(each["command"]) for each in RUNNING.values()}
    servers = ("ingest", "scoring", "automation", "intelligence", "admin", "gateway")
    assert programs == {
        *((f"{name}_service", "serve") for name in servers),
        ("scoring_service", "work"),
        ("automation_service", "work"),
        ("cli.http", "serve"),
    }


@pytest.mark.parametrize("name", ["scoring-worker", "automation-worker"])
def test_workers_can_be_scaled(name: str) -> None:
    assert not {"ports", "container_name", "hostname"} & SERVICES[name].keys()


@pytest.mark.parametrize("name", SERVICES)
def test_no_log_fills_the_disk_and_every_container_that_stays_has_a_health_check(name: str) -> None:
    assert {"max-size", "max-file"} <= SERVICES[name]["logging"]["options"].keys()
    assert "healthcheck" in SERVICES[name]


@pytest.mark.parametrize("name", RUNNING)
def test_containers_of_leadscore_may_do_as_little_as_possible(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    # Its own user of MongoDB, and nobody else's.
    assert {volume.split(":", 1)[1] for volume in service.get("volumes", ())} <= {
        f"{service['environment'].get('LEADSCORE_SECRETS_DIR')}:ro"
    }


@pytest.mark.parametrize("name", RUNNING)
def test_health_checks_ports_and_addresses_are_those_that_processes_listen_on(name: str) -> None:
    service = SERVICES[name]
    assert not unknown(service["environment"])
    port = str(port_of(service["command"], service["environment"]))
    assert port in re.findall(r"\d{4,}", " ".join(service["healthcheck"]["test"]))
    assert {published.rsplit(":", 1)[1] for published in service.get("ports", ())} <= {port}
    for setting, address in service["environment"].items():
        if setting.endswith("_TARGET"):
            host, target_port = address.split(":")
            assert int(target_port) == port_of(SERVICES[host]["command"], SERVICES[host]["environment"])


def test_with_monitoring_every_process_has_a_page_of_metrics() -> None:
    measured = {name for name, each in MONITORING["services"].items() if "image" not in each}
    assert measured == RUNNING.keys() - {"http"}  # Envoy has none
