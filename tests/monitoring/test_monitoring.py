"""The alert rules fire when they should, and rules, dashboard and documentation name the metrics that exist."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring import dashboard
from tests.monitoring.definitions import labels, metrics, names, shown_name

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "deploy/monitoring"
DOCS = ROOT / "docs/monitoring.md"
SELECTORS = re.compile(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|without|on|ignoring)\s*\([^)]*\)|\"[^\"]*\"")
"""What does not name metrics in a query: matchers, ranges, and lists of labels."""
FUNCTIONS = {"max", "min", "sum", "rate", "increase", "or", "unless", "time", "absent", "histogram_quantile", "by"}
OF_PROMETHEUS = {"up"}
LOGGING = (
    *("shared", "ingest_service", "scoring_service", "automation_service"),
    *("intelligence_service", "admin_service", "gateway_service"),
)
LEVELS = {"warning", "error", "critical"}
UNBOUNDED = ("lead", "event_id", "rule", "execution", "delivery", "endpoint", "key", "caller", "partition")


def rules() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load((DIRECTORY / "alerts.yml").read_text())["groups"] for rule in group["rules"]
    ]


def named(expr: str) -> set[str]:
    """Returns the names of metrics in a query."""
    return set(re.findall(r"[a-z_:][a-z0-9_:]*", SELECTORS.sub(" ", expr))) - FUNCTIONS


def table(heading: str) -> dict[str, list[str]]:
    """Returns the rows of the first table below a heading of docs/monitoring.md, by the name in the first column."""
    section = DOCS.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {row[0].strip("`"): row[1:] for row in rows[2:]}


def queries() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in json.loads((DIRECTORY / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expr"), list(queries()))
def test_every_query_names_metrics_that_exist(where: str, expr: str) -> None:
    found = named(expr)
    assert found, where
    assert found <= names() | OF_PROMETHEUS, f"{where}: {found - names()}"


def test_the_dashboard_is_fresh() -> None:
    assert dashboard.PATH.read_text() == dashboard.render(), "run python -m tests.monitoring.dashboard"


def test_the_dashboard_or_an_alert_uses_every_metric() -> None:
    used = {name for _, expr in queries() for name in named(expr)}
    for metric in metrics():
        assert any(name.startswith(metric.name) for name in used), f"nobody would see {metric.name}"


def test_the_documentation_lists_every_metric_with_its_labels() -> None:
    documented = table("Metrics")
    assert documented.keys() == {shown_name(metric) for metric in metrics()}
    for metric in metrics():
        assert set(re.findall(r"`([a-z_]+)`", documented[shown_name(metric)][0])) == labels(metric), metric.name


def test_the_documentation_explains_every_alert_with_its_severity() -> None:
    documented = table("Alerts")
    assert {name: row[0] for name, row in documented.items()} == {
        rule["alert"]: rule["labels"]["severity"] for rule in rules()
    }


def test_the_documentation_explains_every_log_line_about_a_failure() -> None:
    documented = {name.split("`")[0] for cell in table("Logs") for name in cell.split("`, `")}
    programs = [ast.parse(path.read_text()) for package in LOGGING for path in (ROOT / package).rglob("*.py")]
    assert {line for program in programs for line in failures(program)} <= documented
    texts = {node.value for program in programs for node in ast.walk(program) if isinstance(node, ast.Constant)}
    assert documented <= texts


def failures(program: ast.Module) -> Iterator[str]:
    """Yields the events that a program logs with level `warning` and above, if they are written where it does."""
    for node in ast.walk(program):
        match node:
            case ast.Call(func=ast.Attribute(attr=level), args=[ast.Constant(value=event), *_]) if level in LEVELS:
                yield str(event)


def test_the_labels_of_metrics_have_few_values() -> None:
    for metric in metrics():
        assert not {label for label in labels(metric) if label.startswith(UNBOUNDED)}, metric.name


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    tests = yaml.safe_load((DIRECTORY / "alerts_test.yml").read_text())["tests"]
    cases = [(case["alertname"], bool(case["exp_alerts"])) for test in tests for case in test["alert_rule_test"]]
    for rule in rules():
        assert {(rule["alert"], True), (rule["alert"], False)} <= set(cases), rule["alert"]


def test_the_alerts_fire_as_their_tests_say() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing, so the tests of the alert rules do not run: .ci/run installs it")
    done = subprocess.run(
        [promtool, "test", "rules", "alerts_test.yml"], cwd=DIRECTORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
