"""`leadscore keys` and `leadscore audit`: what they ask, print and write."""

import csv
import json
import re
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from leadscore.admin.v1 import admin_pb2 as pb

from shared import wire
from tests.cli.fake_admin import RECORDS, TEXT
from tests.cli.servicer import json_of, serving

CREATE = ("keys", "create", "--name", "website", "--role", "ingest")


def test_a_new_key_is_printed_alone_on_standard_output() -> None:
    with serving() as (service, run):
        result = run(*CREATE, "--role", "read", "--expires", "90d", "--per-second", 10, "--per-day", 5)
    assert result.stdout == f"{TEXT}\n"
    assert "shown only this once" in result.stderr
    (request,) = service.admin.requests
    assert isinstance(request, pb.CreateApiKeyRequest)
    assert (request.name, bool(request.request_id)) == ("website", True)
    assert request.roles == [pb.ROLE_INGEST, pb.ROLE_READ]
    assert request.limits == pb.Limits(per_second=10, per_day=5)
    assert 89 <= (wire.to_time(request.expire_time) - wire.now()).days <= 90


def test_a_new_key_as_json_has_its_text() -> None:
    with serving() as (_, run):
        (made,) = json_of(run(*CREATE, "--json"))
    assert (made["text"], made["key_id"], made["roles"]) == (TEXT, "abcdefghijkl", ["ROLE_INGEST"])


@pytest.mark.parametrize("command", [CREATE, ("keys", "rotate", "abcdefghijkl")])
def test_a_key_goes_into_a_file_that_others_cannot_read(command: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "website.key"
    file.write_text("the old one")
    file.chmod(0o644)
    with serving() as (_, run):
        result = run(*command, "-o", file)
        as_json = run(*command, "-o", file, "--json")
    assert (file.read_text(), file.stat().st_mode & 0o777) == (TEXT, 0o600)
    assert result.stdout == ""
    assert "text" not in json_of(as_json)[0]
    assert list(tmp_path.iterdir()) == [file]


def test_no_key_is_made_for_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with serving() as (service, run):
        error = run(*CREATE, "-o", tmp_path / "nowhere" / "website.key").exception
    assert "cannot be written: No such file" in str(error)
    assert service.admin.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--role", "owner"), "--role is 'owner', must be one of ingest, read, operate, publish, admin, service"),
        (("--expires", "soon"), "--expires is 'soon'"),
        (("--expires", "9000000d"), "--expires is '9000000d'"),
        (("--bootstrap", "--expires", "1d"), "neither limits nor an expiry"),
        (("--bootstrap", "--per-day", "1"), "neither limits nor an expiry"),
    ],
)
def test_a_malformed_option_is_refused(options: tuple[str, ...], message: str) -> None:
    with serving() as (service, run):
        assert message in str(run(*CREATE, *options).exception)
    assert service.admin.requests == []


def test_keys_are_listed_without_controlling_the_terminal() -> None:
    with serving() as (service, run):
        people, programs = run("keys", "list"), run("keys", "list", "--all", "--json")
    assert "abcdefghijkl" in people.stdout
    assert re.search(r"5 a.*second.*1,000 a.*day", people.stdout, re.DOTALL), "columns may break the limits"
    assert "\x1b" not in people.stdout + programs.stdout
    assert json_of(programs)[0]["name"] == "website"
    assert [request.include_dead for request in service.admin.requests] == [False, True]  # type: ignore[attr-defined]


def test_a_revocation_names_the_key() -> None:
    with serving() as (service, run):
        result = run("keys", "revoke", "abcdefghijkl")
    assert "revoked abcdefghijkl (website)" in result.stdout
    assert service.admin.requests == [pb.RevokeApiKeyRequest(key_id="abcdefghijkl")]


@pytest.mark.parametrize(
    ("options", "seconds"), [((), 86_400), (("--overlap", "0s"), 0), (("--overlap", "7d"), 604_800)]
)
def test_a_rotation_has_an_overlap(options: tuple[str, ...], seconds: int) -> None:
    with serving() as (service, run):
        result = run("keys", "rotate", "abcdefghijkl", *options)
    assert result.stdout == f"{TEXT}\n"
    (request,) = service.admin.requests
    assert isinstance(request, pb.RotateApiKeyRequest)
    assert (request.key_id, request.overlap) == ("abcdefghijkl", Duration(seconds=seconds))


def test_audit_records_are_listed_up_to_the_limit_or_all() -> None:
    with serving() as (service, run):
        some = run("audit", "list", "--limit", 3, "--actor", "ada", "--object", "lead-1", "--since", "2026-01-31")
        every = run("audit", "list", "--all", "--json")
    assert "there are more than these 3" in some.stderr
    assert "\x1b" not in some.stdout
    assert len(json_of(every)) == RECORDS
    request = service.admin.requests[0]
    assert isinstance(request, pb.ListAuditLogRequest)
    assert (request.actor, request.object, request.page_size) == ("ada", "lead-1", 3)
    assert request.from_time.ToJsonString() == "2026-01-31T00:00:00Z"


def test_the_audit_log_is_exported(tmp_path: Path) -> None:
    ndjson, table = tmp_path / "audit.ndjson", tmp_path / "audit.csv"
    with serving() as (_, run):
        assert run("export", "audit", "-o", ndjson).exit_code == 0
        result = run("export", "audit", "--method", "RetractEvent", "-o", table)
    assert f"exported {RECORDS:,} records" in result.stderr
    lines = ndjson.read_text().splitlines()
    assert len(lines) == RECORDS
    assert json.loads(lines[1]) == {
        "record_id": "1", "call_time": "1970-01-01T00:00:00Z", "actor": "ada", "key_id": None, "address": None,
        "service": "scoring", "method": "RetractEvent", "object": "lead-1", "outcome": None,
    }  # fmt: skip
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == RECORDS
    assert rows[0]["object"].startswith("'="), "expected no formula"
