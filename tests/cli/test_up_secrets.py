"""Secrets of rules under `leadscore up`: the key, rule files, and what is shown and logged."""

import json
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.secrets import read_keys
from testkit.receiver import SECRET
from testkit.waiting import eventually
from tests.cli.importing import ROW
from tests.cli.running_up import Up

TOKEN = "T0aB1cD2eF3g"  # noqa: S105 (an example)
RULE = f"""
rule_id: guarded
enabled: true
trigger: {{event_received: {{event_type: {ROW["event_type"]}}}}}
actions:
  - {{action_id: crm, webhook: {{url: "https://crm.invalid/in/{TOKEN}", secrets: [{SECRET}]}}}}
  - {{action_id: chat, slack: {{url: "https://chat.invalid/services/{TOKEN}"}}}}
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up"))
    yield running
    running.stop(signal.SIGTERM)


def add(up: Up, tmp_path: Path, text: str) -> str:
    """Adds or replaces a rule, and returns why it was refused."""
    (file := tmp_path / "rules.yaml").write_text(text)
    added = up.run("rules", "add", "--replace", "-f", str(file))
    assert (added.returncode == 0) == ("no rule was added" not in added.stderr)
    return added.stderr if added.returncode else ""


def test_a_key_is_made_that_only_its_owner_can_read(up: Up) -> None:
    file = up.data_dir / "secret.key"
    assert len(read_keys(file.read_text())) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_shown_rule_has_no_secret_and_can_be_added_again_except_for_a_new_origin(up: Up, tmp_path: Path) -> None:
    assert add(up, tmp_path, RULE) == ""
    shown = up.run("rules", "show", "guarded").stdout
    assert "https://crm.invalid" in shown
    assert add(up, tmp_path, shown.replace("enabled: true", "enabled: true\ndisplay_name: Guarded")) == ""
    moved = add(up, tmp_path, shown.replace("crm.invalid", "evil.invalid"))
    assert "must be given with a new origin: the stored secrets are for https://crm.invalid only" in moved
    assert "line " in moved
    assert "actions[0].webhook" in moved
    elsewhere = RULE.replace(f"crm.invalid/in/{TOKEN}", "other.invalid/x")
    assert add(up, tmp_path, elsewhere) == "", "expected a new origin to be accepted with its secret"
    assert add(up, tmp_path, RULE) == ""


async def test_nothing_shows_a_secret(up: Up, tmp_path: Path) -> None:
    assert add(up, tmp_path, RULE) == ""
    (file := tmp_path / "events.jsonl").write_text(json.dumps(ROW | {"event_id": "secret-1", "lead_id": "eve"}))
    assert up.run("ingest", str(file), "--live", "--wait").returncode == 0
    ids: list[str] = []

    async def is_tried() -> bool:
        found = up.run("executions", "list", "--rule", "guarded", "--json").stdout.splitlines()
        ids[:] = [json.loads(line)["execution_id"] for line in found if "attempt_time" in line]
        return bool(ids)

    await eventually(is_tried, what="a delivery is tried")
    commands = [
        ["rules", "list"], ["rules", "list", "--json"], ["rules", "show", "guarded", "--json"],
        ["rules", "test", "guarded", "--lead", "eve"], ["rules", "test", "guarded", "--lead", "eve", "--json"],
        ["executions", "show", ids[0]], ["executions", "show", ids[0], "--json"], ["status"],
    ]  # fmt: skip
    shown = {" ".join(command): up.run(*command) for command in commands}
    texts = {command: done.stdout + done.stderr for command, done in shown.items()}
    assert "the host has no address" in texts[f"executions show {ids[0]}"]
    key = (up.data_dir / "secret.key").read_text().strip()
    files = [path for path in up.data_dir.rglob("*") if path.suffix in (".log", ".conf")]
    assert len(files) > 5
    for place, text in (texts | {path.name: path.read_text(errors="replace") for path in files}).items():
        for secret in (SECRET, SECRET.removeprefix("whsec_"), TOKEN, key):
            assert secret not in text, f"expected no secret in {place}"
