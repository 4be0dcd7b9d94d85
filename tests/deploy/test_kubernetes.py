"""The objects of Kubernetes: those of kustomize, and those of the Helm chart."""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import kubernetes_validate
import pytest

from shared.settings import ServerSettings
from tests.conftest import ROOT
from tests.deploy.conftest import Objects, objects_of
from tests.deploy.settings import port_of, unknown

VERSIONS = ("1.30", "1.37")
"""The oldest version that has all that the objects use, and the newest that there are schemas of."""
WITHOUT_SCHEMA = {"ScaledObject", "TriggerAuthentication"}
"""Kinds of KEDA, whose schemas are not in the package."""
_as_text = partial(json.dumps, sort_keys=True)


def pods(objects: Objects) -> dict[tuple[str, str], dict[str, Any]]:
    """Returns the specifications of all pods, by kind and name of their object."""
    found = {}
    for key, each in objects.items():
        spec = each["spec"]["jobTemplate"]["spec"] if each["kind"] == "CronJob" else each.get("spec", {})
        if "template" in spec:
            found[key] = spec["template"]["spec"]
    return found


def containers(objects: Objects) -> list[dict[str, Any]]:
    """Returns all containers."""
    every = pods(objects).values()
    return [each for pod in every for each in (*pod["containers"], *pod.get("initContainers", ()))]


def environment(container: dict[str, Any]) -> dict[str, str]:
    """Returns the environment of a container."""
    return {each["name"]: each["value"] for each in container.get("env", ())}


def without_order(value: Any) -> Any:
    """Returns a value whose lists of objects are sorted: their order means nothing."""
    if isinstance(value, dict):
        return {key: without_order(each) for key, each in value.items()}
    if isinstance(value, list):
        items = [without_order(each) for each in value]
        return sorted(items, key=_as_text) if all(isinstance(each, dict) for each in items) else items
    return value


@pytest.mark.parametrize("version", VERSIONS)
def test_the_objects_obey_the_published_schemas(objects: Objects, version: str) -> None:
    checked = [each for each in objects.values() if each["kind"] not in WITHOUT_SCHEMA]
    for each in checked:
        kubernetes_validate.validate(each, version, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(checked[0] | {"spek": {}}, version, strict=True)


def test_the_chart_has_the_same_objects(objects: Objects, chart: Objects) -> None:
    assert chart.keys() == objects.keys()
    for key, each in objects.items():
        assert without_order(chart[key]) == without_order(each), key


def test_a_setting_of_the_chart_reaches_migrate_and_whoever_checks_the_database(tool: Callable[[str], str]) -> None:
    setting = ("LEADSCORE_TIME_ZONE", "Europe/Berlin")
    chosen = ["--set", f"settings.{'='.join(setting)}"]
    for container in containers(objects_of([tool("helm"), "template", "leadscore", "helm/leadscore", *chosen])):
        settings = environment(container)
        assert setting in settings.items() or "LEADSCORE_SECRETS_DIR" not in settings


def test_processes_listen_and_are_asked_at_their_ports(objects: Objects) -> None:
    for (kind, name), pod in pods(objects).items():
        if kind != "Deployment":
            continue
        container = pod["containers"][0]
        settings = environment(container)
        port = port_of(container["args"], settings)
        checks = [
            next(iter(container[probe][how] for how in ("grpc", "httpGet", "tcpSocket") if how in container[probe]))
            for probe in ("startupProbe", "readinessProbe")
        ]
        assert [check["port"] for check in checks] == [port, port], name
        assert port in {each["containerPort"] for each in container["ports"]}
        if container["args"][1] == "serve":
            assert [each["port"] for each in objects["Service", name]["spec"]["ports"]] == [port]
            assert f"{name}:{port}" in settings.values() or name == "leadscore-http"


def test_pods_are_restricted(objects: Objects) -> None:
    for key, pod in pods(objects).items():
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 65532), key
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, key
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False), key
    for container in containers(objects):
        context = container["securityContext"]
        assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"].keys() == {"requests", "limits"}


def test_settings_exist_and_secrets_are_only_referred_to(objects: Objects) -> None:
    for container in containers(objects):
        settings = environment(container)
        assert not unknown(settings)
        assert not {name for name in settings if re.search("URI|URL|PASSWORD|SECRET_KEYS|API_KEY$", name)}
    assert "Secret" not in {kind for kind, _ in objects}
    named = {
        volume["secret"]["secretName"]
        for pod in pods(objects).values()
        for volume in pod["volumes"]
        if "secret" in volume
    }
    documented = (ROOT / "docs" / "containers.md").read_text()
    assert [name for name in sorted(named) if name not in documented] == []


def test_a_pod_has_the_time_to_finish(objects: Objects) -> None:
    calls = ServerSettings.model_fields["stop_seconds"].default
    for (kind, name), pod in pods(objects).items():
        if kind == "Deployment":
            stop = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            # A process that does not stop by itself needs up to 5 s more; see docs/operations.md.
            assert pod["terminationGracePeriodSeconds"] >= stop + calls + 15, name


def test_everything_waits_for_migrate_and_decay_runs_alone(objects: Objects) -> None:
    for (kind, name), pod in pods(objects).items():
        waits = [each["args"][:2] for each in pod.get("initContainers", ())]
        uses_databases = kind == "Deployment" and any(volume["name"] == "secrets" for volume in pod["volumes"])
        assert waits == ([[pod["containers"][0]["args"][0], "check"]] if uses_databases else []), name
    decay = objects["CronJob", "leadscore-decay"]["spec"]
    assert decay["concurrencyPolicy"] == "Forbid"
    assert decay["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"] == ["cli", "decay"]


def test_each_deployment_has_a_disruption_budget_and_an_account(objects: Objects) -> None:
    for kind, name in list(objects):
        if kind == "Deployment":
            selected = objects["PodDisruptionBudget", name]["spec"]["selector"]
            assert selected == objects[kind, name]["spec"]["selector"]
            assert objects[kind, name]["spec"]["template"]["spec"]["serviceAccountName"] == name
            assert ("ServiceAccount", name) in objects


def test_in_production_everything_scales_but_admin(objects: Objects, overlay: str) -> None:
    scaled = {name for kind, name in objects if kind in {"HorizontalPodAutoscaler", "ScaledObject"}}
    deployed = {name for kind, name in objects if kind == "Deployment"}
    assert scaled == (deployed - {"leadscore-admin"} if overlay == "production" else set())


def test_network_policies_admit_what_processes_listen_on(objects: Objects) -> None:
    admitted = objects["NetworkPolicy", "leadscore-default"]["spec"]["ingress"]
    ranges = [(each["port"], each.get("endPort", each["port"])) for rule in admitted for each in rule["ports"]]
    listening = {
        port["port"] for (kind, _), each in objects.items() if kind == "Service" for port in each["spec"]["ports"]
    }
    assert [port for port in {*listening, 9464} if not any(low <= port <= high for low, high in ranges)] == []
