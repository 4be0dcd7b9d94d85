"""The passwords that compose makes for its databases."""

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from automation_service.settings import AutomationSettings
from shared.settings import MongoSettings, load
from tests.conftest import ROOT


def make(directory: Path) -> dict[str, str]:
    """Runs the program, and returns the content of each file that there is then, by its path in the directory."""
    command = [sys.executable, "-m", "deploy.passwords", str(directory / "databases"), str(directory / "secrets")]
    subprocess.run(command, cwd=ROOT, check=True)
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def test_they_are_made_once_and_fit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(tmp_path)
    assert make(tmp_path) == made
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {0o600}
    for name in ("LEADSCORE_MONGO_URI", "LEADSCORE_REDIS_URL", "LEADSCORE_SECRET_KEYS"):
        monkeypatch.delenv(name, raising=False)

    monkeypatch.setenv("LEADSCORE_SECRETS_DIR", str(tmp_path / "databases"))
    administrator = urlsplit(load(MongoSettings).mongo_uri.get_secret_value())
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert administrator.username == services["mongo"]["environment"]["MONGO_INITDB_ROOT_USERNAME"]
    assert (administrator.hostname, administrator.password) == ("mongo", made["databases/mongo_password"])

    monkeypatch.setenv("LEADSCORE_SECRETS_DIR", str(tmp_path / "secrets" / "automation"))
    automation = load(AutomationSettings)
    automation.secret_keyring()
    redis = urlsplit(automation.redis_url.get_secret_value())
    assert (redis.hostname, f"requirepass {redis.password}" in made["databases/redis.conf"]) == ("redis", True)
