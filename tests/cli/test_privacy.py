"""Erasing and exporting a lead, and removing the properties of old events."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from leadscore.admin.v1 import admin_pb2 as pb
from leadscore.admin.v1 import admin_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.local.demo import free_base_port
from cli.terminal.connection import SERVICES, CommandError
from shared import wire
from tests.cli.fake_privacy import ERASURE, FakePrivacy, FakeVerification

Run = Callable[..., Result]


@contextmanager
def serving() -> Iterator[tuple[FakePrivacy, FakeVerification, Run]]:
    """Serves fakes, and yields them and the command line that talks to them."""
    admin = FakePrivacy()  # type: ignore[abstract]  # other calls are answered with UNIMPLEMENTED
    scoring = FakeVerification()  # type: ignore[abstract]  # the same
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        admin_pb2_grpc.add_AdminServiceServicer_to_server(admin, server)
        scoring_pb2_grpc.add_ScoringServiceServicer_to_server(scoring, server)
        base = free_base_port()
        for name in ("scoring", "admin"):
            server.add_insecure_port(f"127.0.0.1:{base + SERVICES.index(name)}")
        server.start()
        try:
            environment = {"LEADSCORE_BASE_PORT": str(base), "COLUMNS": "100"}
            yield admin, scoring, lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)), env=environment)
        finally:
            server.stop(0).wait()


def test_a_lead_is_erased_after_a_confirmation() -> None:
    with serving() as (admin, _, run):
        refused = run("erase", "ada")
        erased = run("erase", "ada", "--yes", "--actor", "charles", "--request-id", "r1")
    assert isinstance(refused.exception, CommandError)
    assert "--yes" in str(refused.exception)
    assert erased.stdout == "erased: 2 events, 3 history entries, 1 execution, now under erased-1\n"
    assert admin.requests == [pb.EraseLeadRequest(lead_id="ada", request_id="r1", actor="charles")]


def test_the_list_of_erasures_is_saved_and_reapplied(tmp_path: Path) -> None:
    file = tmp_path / "erasures"
    with serving() as (admin, _, run):
        saved = run("erase", "--save", file)
        reapplied = run("erase", "--reapply", file)
    assert "saved 2 erasures" in saved.stderr
    assert reapplied.stdout == "2 erasures in the list, 2 leads erased again\n"
    assert admin.requests == [pb.ReapplyErasuresRequest(erasures=[ERASURE], key_id=b"k" * 16)] * 2


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        ((), "give either a lead"),
        (("ada", "--save", "file"), "give either a lead"),
        (("--reapply", "/nowhere"), "cannot be read"),
        (("--reapply", __file__), "line 1 is no list of erasures"),
    ],
)
def test_mistakes_are_explained(arguments: tuple[str, ...], mistake: str) -> None:
    with serving() as (_, _, run):
        result = run("erase", *arguments)
    assert isinstance(result.exception, CommandError)
    assert mistake in str(result.exception)


def test_everything_about_a_lead_is_exported(tmp_path: Path) -> None:
    with serving() as (_, _, run):
        printed = run("export", "lead", "ada")
        run("export", "lead", "ada", "--output", tmp_path / "ada.ndjson")
    assert json.loads(printed.stdout) == {"collection": "leads", "document": {"_id": "ada", "score": 20}}
    assert (tmp_path / "ada.ndjson").read_text() == printed.stdout


def test_compacting_is_followed_by_a_verification() -> None:
    with serving() as (admin, scoring, run):
        clean = run("compact", "--older-than", "400d")
        scoring.violations = [scoring_pb2.Violation(invariant="I7", message="wrong")]
        broken, unchecked = (
            run("compact", "--older-than", "400d"),
            run("compact", "--older-than", "400d", "--no-verify"),
        )
        mistaken = run("compact", "--older-than", "400")
    assert clean.stdout.splitlines()[0] == (
        "removed the properties of 7 events of 2 leads, and the bodies of deliveries of 1 execution"
    )
    assert "no violations" in clean.stdout
    assert (clean.exit_code, broken.exit_code, unchecked.exit_code) == (0, 1, 0)
    age = wire.now() - wire.to_time(admin.requests[0].before)
    assert age.days == 400
    assert "400d" in str(mistaken.exception)
