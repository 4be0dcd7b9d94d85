"""`leadscore up --keys`: a system that refuses calls without a key, and the commands that manage keys."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from testkit.waiting import eventually
from tests.cli.importing import ROW
from tests.cli.running_up import Up

REFUSED = "the API key is missing, unknown, expired or revoked"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A system with keys, whose commands run with the key for people unless they name another."""
    running = Up(tmp_path_factory.mktemp("up"), "--keys")
    running.environment["LEADSCORE_API_KEY_FILE"] = str(running.data_dir / "keys" / "admin.key")
    yield running
    if running.process.poll() is None:
        running.stop(signal.SIGTERM)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_keys_can_be_read_by_their_owner_only(up: Up) -> None:
    keys = up.data_dir / "keys"
    assert mode(keys) == 0o700
    assert {file.name: mode(file) for file in keys.iterdir()} == {"admin.key": 0o600, "services.key": 0o600}


def test_a_call_without_a_key_is_refused(up: Up) -> None:
    for arguments in (["lead", "ada"], ["rules", "list"], ["summary"], ["keys", "list"], ["audit", "list"]):
        refused = up.run(*arguments, LEADSCORE_API_KEY_FILE="", LEADSCORE_API_KEY="lsk_aaaaaaaaaaaa_none")
        assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1), arguments
        assert REFUSED in refused.stderr


def test_services_call_each_other_with_their_own_key(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(ROW))
    sent = up.run("ingest", str(file), "--live", "--wait")
    assert sent.returncode == 0, sent.stderr
    shown = up.run("lead", "ada", "--json")  # intelligence asks scoring
    assert json.loads(shown.stdout)["score"] == "20", shown.stderr


async def test_a_key_works_until_it_is_revoked_and_the_audit_log_says_who_did_it(up: Up) -> None:
    made = json.loads(up.run("keys", "create", "--name", "analyst", "--role", "read", "--json").stdout)
    key = {"LEADSCORE_API_KEY_FILE": "", "LEADSCORE_API_KEY": made["text"]}

    async def answers() -> bool:
        return (await asyncio.to_thread(up.run, "rules", "list", **key)).returncode == 0

    async def is_refused() -> bool:
        return REFUSED in (await asyncio.to_thread(up.run, "rules", "list", **key)).stderr

    async def is_known_elsewhere() -> bool:
        return REFUSED not in (await asyncio.to_thread(up.run, "keys", "list", **key)).stderr

    await eventually(answers, what="a server knows the new key")
    await eventually(is_known_elsewhere, what="other servers know it, too")
    denied = up.run("keys", "list", **key)
    assert "needs a caller with the role admin (PERMISSION_DENIED, ROLE_MISSING)" in denied.stderr
    assert up.run("keys", "revoke", made["key_id"]).returncode == 0
    await eventually(is_refused, what="a revoked key is refused")
    records = [json.loads(line) for line in up.run("audit", "list", "--json").stdout.splitlines()]
    found = [(each["actor"], each["method"], each["object"], each["outcome"]) for each in records]
    assert ("admin", "RevokeApiKey", f"key {made['key_id']}", "OK") in found
    assert ("admin", "CreateApiKey", "key named analyst", "OK") in found
    assert all(each["address"] == "127.0.0.1" and each["key_id"] for each in records)


async def test_the_doctor_finds_nothing_wrong(up: Up) -> None:
    command, runs = ("doctor", "--data-dir", str(up.data_dir)), list["subprocess.CompletedProcess[str]"]()

    async def finds_nothing() -> bool:
        # On a busy machine, a process may take longer to answer than the doctor waits.
        runs[:] = [up.run(*command, "--json", LEADSCORE_API_KEY_FILE=""), up.run(*command)]
        checks = json.loads(runs[0].stdout)["checks"]
        wrong = [each for each in checks if each["level"] != "ok" and each["subject"] != "disk"]
        return not wrong and runs[0].returncode == runs[1].returncode

    await eventually(finds_nothing, what="nothing is wrong but, perhaps, the disk")
    found = json.loads(runs[0].stdout)
    subjects = {each["subject"] for each in found["checks"]}
    assert {"versions", "mongod", "redis", "clocks", "scoring", "health", "backlog", "http", "disk"} <= subjects
    assert runs[1].stdout.splitlines()[-1].startswith(found["verdict"])
    assert runs[0].returncode == found["exit_status"]


async def test_the_http_api_asks_for_the_same_keys(up: Up) -> None:
    url = f"http://127.0.0.1:{up.http_port}/v1"
    made = json.loads(up.run("keys", "create", "--name", "website", "--role", "ingest", "--json").stdout)
    event = {"event_id": "eve-1", "lead_id": "eve", "event_type": "signup", "event_time": "2026-05-01T12:00:00Z"}
    async with httpx.AsyncClient(timeout=60) as client:
        for key in ({}, {"authorization": "Bearer lsk_aaaaaaaaaaaa_none"}, {"authorization": f"Basic {made['text']}"}):
            refused = await client.post(f"{url}/events", json=event, headers=key)
            assert (refused.status_code, refused.json()["message"]) == (401, REFUSED)
        client.headers["authorization"] = f"Bearer {made['text']}"

        async def is_known() -> bool:
            return (await client.post(f"{url}/events", json=event)).status_code == 200

        async def is_known_elsewhere() -> bool:
            return (await client.get(f"{url}/leads/eve")).status_code != 401

        await eventually(is_known, what="the new key sends an event")
        await eventually(is_known_elsewhere, what="other servers know it, too")
        denied = await client.get(f"{url}/leads/eve")
    assert (denied.status_code, denied.json()["details"][0]["reason"]) == (403, "ROLE_MISSING")
    assert "role read" in denied.json()["message"]


def test_a_restart_keeps_the_keys(up: Up) -> None:
    keys = up.data_dir / "keys"
    before = {file.name: file.read_text() for file in keys.iterdir()}
    assert up.stop(signal.SIGTERM) == 0
    up.__init__(up.data_dir, "--keys")  # type: ignore[misc]
    assert {file.name: file.read_text() for file in keys.iterdir()} == before
    environment = os.environ | {"LEADSCORE_API_KEY": before["admin.key"]}
    assert up.run("keys", "list", **environment).returncode == 0
    up.stop(signal.SIGTERM)
    (keys / "admin.key").unlink()
    failed = up.run("up", "--data-dir", str(up.data_dir), "--keys")
    assert failed.returncode == 1
    assert "admin.key is missing" in failed.stderr
