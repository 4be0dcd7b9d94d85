"""`leadscore up`, and other commands against the system that it starts."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.local.demo import free_base_port
from cli.local.down import STOP_SECONDS
from cli.local.plan import Plan, cores
from cli.terminal.connection import Connection
from testkit.waiting import eventually
from tests.cli.importing import ROW
from tests.cli.running_up import COMMAND, Up, descendants, wait_until_ended
from tests.cli.test_embedded import listens_on_127_0_0_1_only


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A system that runs for all tests of this module, in a directory with a name that means something to others."""
    running = Up(tmp_path_factory.mktemp("up 50%s"))
    yield running
    with running.process:  # closes its output, also if a test has ended it
        if running.process.poll() is None:
            running.stop(signal.SIGTERM)


def test_every_service_listens_on_this_machine_only(up: Up) -> None:
    assert all(listens_on_127_0_0_1_only(up.base_port + number) for number in (0, 1, 2, 3, 4, 10, 11))
    assert listens_on_127_0_0_1_only(up.http_port)


def test_it_prints_the_addresses_of_the_services(up: Up) -> None:
    assert f"127.0.0.1:{up.base_port + 3}" in "\n".join(up.lines)
    assert any(line.startswith("grpcurl -plaintext -d '{") for line in up.lines)


def test_ingested_events_become_a_scored_lead(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    rows = [ROW | {"event_id": f"ada-{number}"} for number in range(3)]
    file.write_text("\n".join(["{no JSON", *map(json.dumps, rows)]))
    first = up.run("ingest", str(file), "--live", "--wait", "--json")
    counted = json.loads(first.stdout)
    assert (counted["accepted"], counted["rejected"], first.returncode) == (3, 1, 1)
    assert counted["rejections"][0]["line"] == 1
    assert json.loads(up.run("ingest", str(file), "--live", "--json").stdout)["duplicate"] == 3
    assert json.loads(up.run("lead", "ada", "--json").stdout)["score"] == "60"
    assert len(up.run("history", "ada", "--json").stdout.splitlines()) == 3
    for command in (
        ["lead", "ada"],
        ["history", "ada"],
        ["top"],
        ["summary"],
        ["rules", "list"],
        ["executions", "list"],
        ["verify"],
    ):
        shown = up.run(*command)
        assert (shown.returncode, shown.stderr) == (0, ""), command
    assert "no violations" in up.run("verify").stdout


def test_the_http_api_reaches_the_services(up: Up) -> None:
    assert f"127.0.0.1:{up.http_port}" in "\n".join(up.lines)
    event = {"event_id": "bob-1", "lead_id": "bob", "event_type": "signup", "event_time": "2026-05-01T12:00:00Z"}
    with httpx.Client(base_url=f"http://127.0.0.1:{up.http_port}/v1", timeout=60) as client:
        assert client.post("/events", json=event).json()["outcome"] == "OUTCOME_ACCEPTED"
        message = {"messageId": "m1", "userId": "bob", "event": "Signed Up"}
        assert client.post("/track", json=message).json()["accepted"] == 1, "the gateway runs, too"
        assert client.get("/models").json()["scoring_models"][0]["version"] == "1"
        assert client.get("/rules").status_code == client.get("/leads:summary").status_code == 200


async def test_the_status_shows_every_service_and_worker(up: Up) -> None:
    found: dict[str, Any] = {}

    async def all_is_well() -> bool:
        # Not while a process takes longer to answer than the command waits, or has not scored an event of another test.
        found.update(json.loads(up.run("status", "--json").stdout))
        return bool(found["verdict"] == "ok")

    await eventually(all_is_well, what="the verdict ok")
    assert found["exit_status"] == 0
    assert [(each["service"], each["health"]) for each in found["workers"]] == [
        *([("scoring", "serving")] * cores()),
        ("automation", "serving"),
    ]

    async def people_see_it() -> bool:
        return up.run("status").stdout.splitlines()[-1] == "ok"

    await eventually(people_see_it, what="the verdict ok on the page")


def test_a_rule_is_added_tested_and_executed(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    rule = {"rule_id": "big", "enabled": True, "conditions": {"minimum_score": 20_000}}
    again = {"rule_id": "seen", "enabled": True, "trigger": {"event_received": {"event_type": ROW["event_type"]}}}
    file.write_text(json.dumps([rule, again]))
    added = up.run("rules", "add", "-f", str(file))
    assert (added.returncode, "can never fire" in added.stderr) == (0, True)
    assert up.run("rules", "add", "-f", str(file)).returncode == 1
    assert up.run("rules", "add", "-f", str(file), "--replace").returncode == 0
    tried = up.run("rules", "test", "big", "--lead", "ada")
    assert (tried.returncode, "would not fire" in tried.stdout) == (1, True)
    assert json.loads(up.run("rules", "test", "seen", "--lead", "ada", "--json").stdout)["would_fire"]
    shown = up.run("rules", "list").stdout
    assert "big" in shown
    assert up.run("rules", "disable", "big").returncode == 0
    listed = [json.loads(line) for line in up.run("rules", "list", "--json").stdout.splitlines()]
    assert {each["rule_id"]: each["enabled"] for each in listed} == {"big": False, "seen": True}
    watching = subprocess.Popen(
        [*COMMAND, "watch", "--lead", "eve", "--count", "1", "--json"],
        env=up.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with watching:
        assert watching.stderr is not None
        assert watching.stdout is not None
        assert "watching" in watching.stderr.readline()
        events = tmp_path / "events.jsonl"
        events.write_text(json.dumps(ROW | {"event_id": "eve-1", "lead_id": "eve"}))
        assert up.run("ingest", str(events), "--live", "--wait").returncode == 0
        seen = json.loads(watching.stdout.readline())
        assert (seen["change"]["lead_id"], seen["lead_intelligence"]["score"]) == ("eve", "20")
        assert watching.wait(60) == 0
    found: list[str] = []
    for _ in range(100):
        found = up.run("executions", "list", "--lead", "eve", "--state", "recorded", "--json").stdout.splitlines()
        if found:
            break
    execution = json.loads(found[0])
    recorded = execution["record_time"]
    for span, count in ((["--since", recorded], 1), (["--until", recorded], 0), (["--until", recorded[:10]], 1)):
        listed = up.run("executions", "list", "--lead", "eve", *span, "--json").stdout.splitlines()
        assert len(listed) == count, f"expected {count} within {span}"
    card = up.run("executions", "show", execution["execution_id"]).stdout
    assert "trigger: an event of type" in card
    assert up.run("executions", "retry", execution["execution_id"]).returncode == 1
    assert up.run("rules", "delete", "big").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rules", "add", "-f", "/nowhere"], "cannot be read"),
        (["rules", "enable", "nothing"], "nothing"),
        (["rules", "test", "--lead", "ada"], "--file"),
        (["executions", "list", "--state", "lost"], "lost"),
        (["executions", "list", "--since", "lately"], "--since is 'lately'"),
        (["executions", "list", "--until", "9999-12-31"], "--until is '9999-12-31'"),
        (["executions", "show", "nothing"], "EXECUTION_NOT_FOUND"),
        (["watch", "--resume", "nonsense"], "resume_token"),
        (["lead", "nobody"], "nobody"),
        (["top", "--stage", "boiling"], "boiling"),
        (["decay", "--as-of", "soon"], "soon"),
        (["decay", "--as-of", "2199-01-01"], "has not begun"),
        (["ingest", "/nowhere"], "cannot be read"),
        (["summary", "--base-port", "1"], "no intelligence service answers at 127.0.0.1:4"),
    ],
)
def test_an_error_is_one_line(up: Up, arguments: list[str], message: str) -> None:
    failed = up.run(*arguments)
    assert failed.returncode == 1
    assert len(failed.stderr.splitlines()) == 1
    assert message in failed.stderr
    assert failed.stdout == ""


def test_a_second_system_in_the_same_directory_is_refused(up: Up) -> None:
    other = str(free_base_port())
    second = up.run("up", "--data-dir", str(up.data_dir), "--base-port", other)
    assert (second.returncode, len(second.stderr.splitlines())) == (1, 1)
    assert f"already running in {up.data_dir}: stop it with `leadscore down --data-dir {up.data_dir}`" in second.stderr


def test_a_port_in_use_is_reported(up: Up, tmp_path: Path) -> None:
    second = up.run("up", "--data-dir", str(tmp_path))
    assert (second.returncode, len(second.stderr.splitlines())) == (1, 1)
    assert f"port {up.base_port}" in second.stderr


def test_a_base_port_that_leaves_no_ports_for_workers_is_refused(up: Up, tmp_path: Path) -> None:
    failed = up.run("up", "--data-dir", str(tmp_path), "--base-port", "65530")
    assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1)
    assert "port 65680 for metrics of ingest-0 does not exist" in failed.stderr


async def test_a_worker_that_exits_is_restarted(up: Up) -> None:
    programs = Plan(Connection(up.base_port), up.data_dir).programs()
    (worker,) = [each for each in programs if each.name == "scoring-worker-0"]
    before = [pid for pid in descendants(up.process.pid) if is_worker(pid, worker.port)]
    assert len(before) == 1
    os.kill(before[0], signal.SIGKILL)

    async def is_replaced() -> bool:
        found = [pid for pid in descendants(up.process.pid) if is_worker(pid, worker.port)]
        return found not in ([], before) and await asyncio.to_thread(worker.is_serving)

    await eventually(is_replaced, what="another worker serves")


def is_worker(pid: int, health_port: int) -> bool:
    """Returns whether the process is the scoring worker with this health port."""
    try:
        command, environment = (Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    except OSError:
        return False
    return b"scoring_service\0work" in command and f"LEADSCORE_HEALTH_PORT={health_port}".encode() in environment


def test_databases_configured_in_files_are_used(up: Up, tmp_path: Path) -> None:
    for name in ("leadscore_mongo_uri", "leadscore_redis_url"):
        (tmp_path / name).write_text("nonsense://127.0.0.1")
    other = str(free_base_port())
    failed = up.run(
        "up", "--data-dir", str(tmp_path / "data"), "--base-port", other, LEADSCORE_SECRETS_DIR=str(tmp_path)
    )
    printed = failed.stderr.splitlines()
    assert (failed.returncode, len(printed)) == (1, 2)
    assert printed[0] == "creating collections and indexes", "expected no server of its own"
    assert "LEADSCORE_MONGO_URI" in printed[1]


def test_a_demo_has_its_own_databases_and_leaves_nothing_running_after_sigterm(tmp_path: Path) -> None:
    named = {"LEADSCORE_MONGO_URI": "nonsense://127.0.0.1", "LEADSCORE_REDIS_URL": "nonsense://127.0.0.1"}
    environment = os.environ | named | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([*COMMAND, "demo"], env=environment, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        for line in demo.stderr:
            if line.startswith("ingesting"):
                break
        started = descendants(demo.pid)
        assert len(started) >= 9
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(STOP_SECONDS) == 128 + signal.SIGTERM
    wait_until_ended(started)
    assert list(tmp_path.iterdir()) == []


STOPS = {signal.SIGINT: 0, signal.SIGHUP: 0, signal.SIGKILL: -signal.SIGKILL}
"""The exit statuses of `up` after signals; the fixture ends with a SIGTERM."""


@pytest.mark.parametrize("number", STOPS)
def test_it_leaves_nothing_running_and_restarts_with_its_data(up: Up, number: signal.Signals) -> None:
    started = descendants(up.process.pid)
    assert len(started) >= 10  # two databases, the supervisor, five servers, two workers
    assert up.stop(number) == STOPS[number]
    wait_until_ended(started)
    assert (up.data_dir / "mongo" / "mongod.lock").read_text() == "", "expected a clean end of mongod"
    up.__init__(up.data_dir)  # type: ignore[misc]
    assert json.loads(up.run("lead", "ada", "--json").stdout)["score"] == "60"


def test_down_stops_it(up: Up) -> None:
    stopped = up.run("down", "--data-dir", str(up.data_dir))
    assert (stopped.returncode, stopped.stdout) == (0, "")
    assert stopped.stderr.splitlines()[-1] == f"stopped what ran in {up.data_dir}"
    assert up.process.wait(STOP_SECONDS) == 0
