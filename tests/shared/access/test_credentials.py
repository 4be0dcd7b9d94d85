"""The key of a process: where it comes from, and that a new file is noticed."""

import os
from pathlib import Path

import pytest

from shared.access import credentials
from shared.access.credentials import OwnKey
from shared.settings import CallerSettings, StartupError, load


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEADSCORE_API_KEY", "LEADSCORE_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_key_calls_carry_none() -> None:
    assert OwnKey(load(CallerSettings)).metadata() == ()


def test_a_key_is_sent_as_a_bearer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_API_KEY", "lsk_a_b")
    settings = load(CallerSettings)
    assert OwnKey(settings).metadata() == (("authorization", "Bearer lsk_a_b"),)
    assert "lsk_a_b" not in repr(settings)


def test_a_file_wins_and_is_read_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "CHECK_SECONDS", 0)
    path = tmp_path / "services.key"
    path.write_text("lsk_one\n")
    monkeypatch.setenv("LEADSCORE_API_KEY", "lsk_other")
    monkeypatch.setenv("LEADSCORE_API_KEY_FILE", str(path))
    key = OwnKey(load(CallerSettings))
    assert key.metadata() == (("authorization", "Bearer lsk_one"),)
    path.write_text("lsk_two\n")
    os.utime(path, ns=(0, 1))
    assert key.metadata() == (("authorization", "Bearer lsk_two"),)
    path.unlink()
    assert key.metadata() == (("authorization", "Bearer lsk_two"),), "the last key should remain in use"


def test_a_file_that_is_missing_at_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_API_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(StartupError, match="LEADSCORE_API_KEY_FILE"):
        OwnKey(load(CallerSettings))
