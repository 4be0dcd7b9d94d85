"""`leadscore up` starts a scoring worker per core, and further ingest processes at the port of the first."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli.local import plan as plans
from cli.local.metrics import write_targets
from cli.local.plan import Plan, Program
from cli.terminal.connection import Connection


def programs(**counts: Any) -> dict[str, Program]:
    return {each.name: each for each in Plan(Connection(20_000), Path(), **counts).programs()}


def test_there_is_one_scoring_worker_per_core_and_one_automation_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5}, raising=False)
    names = {name for name in programs() if "worker" in name}
    assert names == {"scoring-worker-0", "scoring-worker-1", "scoring-worker-2", "automation-worker-0"}


def test_the_number_of_cores_is_at_least_one_and_at_most_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= plans.cores() <= plans.MAX_PROCESSES
    monkeypatch.setattr(plans, "MAX_PROCESSES", 1)
    assert plans.cores() == 1


def test_there_may_be_no_automation_worker_yet() -> None:
    assert {name for name in programs(scoring_workers=1, automation_workers=0) if "worker" in name} == {
        "scoring-worker-0"
    }


def test_every_worker_has_a_health_port_of_its_own() -> None:
    ports = [each.port for each in programs(scoring_workers=4, automation_workers=3).values()]
    assert len(set(ports)) == len(ports) == 5 + 4 + 3


def test_every_process_but_envoy_has_a_metrics_port_of_its_own() -> None:
    found = programs(scoring_workers=2, ingest_processes=3, http_port=8080)
    ports = [port for each in found.values() for port in each.metrics_ports]
    assert ports == list(range(20_150, 20_150 + 3 + 4 + 2 + 1 + 1)), "three of ingest, the other servers, three workers"
    assert found["scoring-0"].environment["LEADSCORE_METRICS_PORT"] == "20153"
    assert not found["http"].metrics_ports


def test_prometheus_finds_every_process(tmp_path: Path) -> None:
    write_targets(Plan(Connection(20_000), tmp_path, scoring_workers=1, ingest_processes=2))
    targets = json.loads((tmp_path / "metrics_targets.json").read_text())
    assert targets[:3] == [
        {"targets": ["127.0.0.1:20150"], "labels": {"process": "ingest-0"}},
        {"targets": ["127.0.0.1:20151"], "labels": {"process": "ingest-0"}},
        {"targets": ["127.0.0.1:20152"], "labels": {"process": "scoring-0"}},
    ]


def test_the_gateway_runs_beside_the_http_api() -> None:
    assert not {"gateway-0", "http"} & set(programs())
    found = programs(http_port=8080)
    assert (found["gateway-0"].port, found["http"].port) == (20_005, 8080)


def test_only_the_ingest_server_runs_as_several_processes() -> None:
    found = {name: each.environment for name, each in programs(scoring_workers=1, ingest_processes=2).items()}
    ports = {"LEADSCORE_PORT": "20000", "LEADSCORE_METRICS_PORT": "20150"}
    assert found["ingest-0"] == {**ports, "LEADSCORE_PROCESSES": "2"}
    assert [name for name, environment in found.items() if "LEADSCORE_PROCESSES" in environment] == ["ingest-0"]


def test_the_http_api_runs_only_at_a_given_port() -> None:
    assert "http" not in programs()
    found = programs(http_port=8080)["http"]
    assert (found.module, found.environment) == ("cli.http", {"LEADSCORE_PORT": "8080"})
