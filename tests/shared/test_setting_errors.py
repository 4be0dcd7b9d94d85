"""All mistakes in settings are named at once, with what is allowed."""

from pathlib import Path

import pytest

from shared.secrets import SecretSettings
from shared.settings import StartupError, load, unknown_variables
from tests.shared.test_settings import Settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LEADSCORE_{name.upper()}", raising=False)
    monkeypatch.setenv("LEADSCORE_PORT", "50051")
    monkeypatch.setenv("LEADSCORE_HEALTH_PORT", "50061")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("PORT", "http", "is 'http', must be a whole number from 1 to 65535 (port to listen on)"),
        (
            "PARTITIONS",
            "4097",
            "is '4097', must be a whole number from 1 to 4096 (number of partitions",
        ),
        (
            "CALL_SECONDS",
            "0",
            "is '0', must be a number above 0 and up to 86400 (maximum duration of a unary call, in seconds)",
        ),
        ("LOG_LEVEL", "loud", "is 'loud', must be debug, info, warning or error (minimum level of log lines)"),
        ("INSECURE", "perhaps", "is 'perhaps', must be true or false"),
        ("LEAD_IDS", "upper", "is 'upper', must be a text like trim,nfc,email"),
    ],
)
def test_a_mistake_says_what_is_allowed_and_its_unit(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"LEADSCORE_{variable}", value)
    with pytest.raises(StartupError) as caught:
        load(Settings)
    assert str(caught.value).startswith(f"LEADSCORE_{variable}: {sentence}")


def test_all_mistakes_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADSCORE_PORT")
    monkeypatch.setenv("LEADSCORE_PARTITIONS", "0")
    with pytest.raises(StartupError) as caught:
        load(Settings)
    head, *lines = str(caught.value).splitlines()
    assert head == "2 settings are invalid:"
    assert sorted(line.split(":")[0].strip() for line in lines) == ["LEADSCORE_PARTITIONS", "LEADSCORE_PORT"]


def test_settings_that_do_not_fit_together_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("HOST", "192.0.2.1"), ("TLS_KEY_FILE", "key.pem"), ("OIDC_ISSUER", "https://issuer.example")):
        monkeypatch.setenv(f"LEADSCORE_{name}", value)
    with pytest.raises(StartupError) as caught:
        load(Settings)
    found = str(caught.value)
    assert found.startswith("4 settings are invalid:")
    assert all(f"LEADSCORE_{name}" in found for name in ("HOST", "TLS_CERT_FILE", "OIDC_AUDIENCE", "OIDC_ROLES"))


def test_a_mistake_in_a_secret_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_SECRET_KEYS", "hunter2")
    with pytest.raises(StartupError, match=r"LEADSCORE_SECRET_KEYS: key 1 is not 32 bytes in base64") as caught:
        load(SecretSettings)
    assert "hunter2" not in str(caught.value)


def test_an_unknown_variable_is_named_with_the_nearest_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert unknown_variables() == []
    (tmp_path / "leadscore_mongo_url").touch()
    monkeypatch.setenv("LEADSCORE_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("LEADSCORE_PARTITION", "64")
    monkeypatch.setenv("LEADSCORE_INGEST_SERVICE_HOST", "192.0.2.1")  # by Kubernetes
    assert unknown_variables() == [
        f"{name} is no setting of leadscore and has no effect; the nearest name is {near}"
        for name, near in (
            ("LEADSCORE_MONGO_URL", "LEADSCORE_MONGO_URI"),
            ("LEADSCORE_PARTITION", "LEADSCORE_PARTITIONS"),
        )
    ]
