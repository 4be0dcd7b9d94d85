"""A process starts with valid settings, or exits with one line that names the invalid variable."""

import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from scoring_service.domain.calendar import zone
from shared.access.roles import Role
from shared.settings import (
    ProcessSettings,
    ServerSettings,
    StartupError,
    StoreSettings,
    WorkerSettings,
    load,
)


class Settings(ServerSettings, StoreSettings, WorkerSettings):
    """All settings that a service can have."""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Settings, ProcessSettings):
        for name in kind.model_fields:
            monkeypatch.delenv(f"LEADSCORE_{name.upper()}", raising=False)
    monkeypatch.setenv("LEADSCORE_PORT", "50051")
    monkeypatch.setenv("LEADSCORE_HEALTH_PORT", "50061")


def test_every_default_is_safe() -> None:
    settings = load(Settings)
    assert (settings.host, settings.insecure) == ("127.0.0.1", False)
    for secret in (settings.mongo_uri, settings.redis_url):
        assert "//127.0.0.1:" in secret.get_secret_value()
    assert settings.sweep_age == timedelta(seconds=3)


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_PARTITIONS", "7")
    monkeypatch.setenv("LEADSCORE_SWEEP_AGE_SECONDS", "0.5")
    settings = load(Settings)
    assert (settings.partitions, settings.sweep_age) == (7, timedelta(milliseconds=500))


def test_values_come_from_files_where_the_environment_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "leadscore_mongo_uri").write_text("mongodb://me:secret@db.example/leadscore\n")
    (tmp_path / "leadscore_redis_url").write_text("redis://from-a-file/0")
    monkeypatch.setenv("LEADSCORE_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("LEADSCORE_REDIS_URL", "redis://from-the-environment/0")
    settings = load(Settings)
    assert settings.mongo_uri.get_secret_value() == "mongodb://me:secret@db.example/leadscore"
    assert settings.redis_url.get_secret_value() == "redis://from-the-environment/0"


def test_a_missing_secrets_directory_prevents_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LEADSCORE_SECRETS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(StartupError, match=r"LEADSCORE_SECRETS_DIR: .*nowhere is not a directory"):
        load(Settings)


def test_files_that_an_orchestrator_mounts_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Kubernetes replaces all files of a secret at once by changing the target of the link `..data`.
    (tmp_path / "..2026_03_01").mkdir()
    (tmp_path / "..2026_03_01" / "leadscore_redis_url").write_text("redis://mounted/0")
    (tmp_path / "..data").symlink_to("..2026_03_01")
    (tmp_path / "leadscore_redis_url").symlink_to("..data/leadscore_redis_url")
    monkeypatch.setenv("LEADSCORE_SECRETS_DIR", str(tmp_path))
    assert load(Settings).redis_url.get_secret_value() == "redis://mounted/0"


def no_text(path: Path) -> None:
    path.write_bytes(b"redis://:hunter2\xff@db/0")


def a_link_to_elsewhere(path: Path) -> None:
    other = path.parents[1] / "elsewhere"
    other.write_text("redis://elsewhere/0")
    path.symlink_to(other)


def a_link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [no_text, a_link_to_elsewhere, a_link_to_nowhere, a_link_to_itself, Path.mkdir])
def test_an_unreadable_file_prevents_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (secrets := tmp_path / "secrets").mkdir()
    make(secrets / "leadscore_redis_url")
    monkeypatch.setenv("LEADSCORE_SECRETS_DIR", str(secrets))
    with (
        warnings.catch_warnings(action="default"),  # as in a service, where a warning is not an error
        pytest.raises(StartupError, match=r"^LEADSCORE_SECRETS_DIR: .*redis_url") as caught,
    ):
        load(Settings)
    assert "\n" not in str(caught.value)
    assert not {part for part in ("hunter2", "0xff") if part in str(caught.value)}


def test_a_file_without_read_permission_prevents_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "leadscore_redis_url").write_text("redis://db/0")
    monkeypatch.setenv("LEADSCORE_SECRETS_DIR", str(tmp_path))

    def read_text(path: Path, *_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", read_text)
    with pytest.raises(StartupError, match=r"^LEADSCORE_SECRETS_DIR: .*Permission denied: .*leadscore_redis_url"):
        load(Settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEADSCORE_PORT", "http"),
        ("LEADSCORE_PORT", ""),
        ("LEADSCORE_PORT", "0"),
        ("LEADSCORE_PORT", "65536"),
        ("LEADSCORE_HEALTH_PORT", "-1"),
        ("LEADSCORE_STREAM_SLOTS", "0"),
        ("LEADSCORE_TRANSACTION_SECONDS", "8.5"),
        ("LEADSCORE_LOG_LEVEL", "loud"),
        ("LEADSCORE_PARTITIONS", "0"),
        ("LEADSCORE_PARTITIONS", "4097"),
        ("LEADSCORE_INSECURE", "perhaps"),
        ("LEADSCORE_REFLECTION", "2"),
        ("LEADSCORE_CALL_SECONDS", "0"),
        ("LEADSCORE_CALL_SECONDS", "nan"),
        ("LEADSCORE_STOP_SECONDS", "-1"),
        ("LEADSCORE_BATCH_ROWS", "1.5"),
        ("LEADSCORE_WORKER_LANES", "17"),
        ("LEADSCORE_SWEEP_AGE_SECONDS", "0"),
        ("LEADSCORE_TRANSACTION_SECONDS", "0"),
        *((f"LEADSCORE_{name}_SECONDS", "86401") for name in ("CALL", "QUEUE", "STOP", "SWEEP_AGE", "TRANSACTION")),
    ],
)
def test_an_invalid_value_is_reported_in_one_line_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(StartupError) as caught:
        load(Settings)
    assert str(caught.value).startswith(f"{variable}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["CALL_SECONDS", "SWEEP_AGE_SECONDS"])
def test_an_infinite_duration_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"LEADSCORE_{name}", "inf")
    with pytest.raises(StartupError, match=f"^LEADSCORE_{name}: "):
        load(Settings)


def test_a_missing_value_is_reported_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADSCORE_PORT")
    with pytest.raises(StartupError, match=r"^LEADSCORE_PORT: "):
        load(Settings)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])  # noqa: S104 (it is refused)
def test_a_non_loopback_address_is_refused(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("LEADSCORE_HOST", host)
    with pytest.raises(StartupError, match=r"^LEADSCORE_HOST=.* without TLS or authentication: .*LEADSCORE_INSECURE"):
        load(Settings)
    monkeypatch.setenv("LEADSCORE_INSECURE", "true")
    assert load(Settings).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_a_loopback_address_is_accepted(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("LEADSCORE_HOST", host)
    assert load(Settings).host == host


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_MONGO_URI", "mongodb://user:hunter2@db/leadscore")
    settings = load(Settings)
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(Settings).port = 1


def test_every_setting_has_a_description() -> None:
    undescribed = [name for name, field in Settings.model_fields.items() if not field.description]
    assert undescribed == []


def test_a_time_zone_has_an_iana_name() -> None:
    assert zone("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    for name in ("Berlin", "", "../etc/passwd", "/etc/passwd", "\0"):
        with pytest.raises(ValueError, match="is not a time zone: use an IANA name such as UTC or Europe/Berlin"):
            zone(name)


OIDC = {
    "LEADSCORE_OIDC_ISSUER": "https://issuer.example",
    "LEADSCORE_OIDC_AUDIENCE": "leadscore",
    "LEADSCORE_OIDC_ROLES": "analysts=read,admins=admin,admins=operate",
}


def test_an_issuer_of_tokens_is_read_as_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(Settings).token_rules is None
    for name, value in OIDC.items():
        monkeypatch.setenv(name, value)
    rules = load(Settings).token_rules
    assert rules is not None
    assert (rules.issuer, rules.audience, rules.roles_claim, rules.leeway) == (
        "https://issuer.example", "leadscore", "roles", 60,
    )  # fmt: skip
    assert rules.roles["admins"] == {Role.ADMIN, Role.OPERATE}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEADSCORE_OIDC_ISSUER", "http://issuer.example"),
        ("LEADSCORE_OIDC_AUDIENCE", ""),
        ("LEADSCORE_OIDC_ROLES", ""),
        ("LEADSCORE_OIDC_ROLES", "analysts=owner"),
        ("LEADSCORE_OIDC_LEEWAY_SECONDS", "-1"),
    ],
)
def test_an_issuer_whose_tokens_cannot_be_judged_prevents_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for each, good in OIDC.items():
        monkeypatch.setenv(each, good)
    monkeypatch.setenv(name, value)
    with pytest.raises(StartupError, match=name):
        load(Settings)
