"""A log that has become too large is kept under another name, and the oldest is lost."""

from pathlib import Path

import pytest

from cli.local import log_files


def test_a_large_log_and_those_before_it_are_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "MAX_BYTES", 5)
    monkeypatch.setattr(log_files, "BACKUPS", 2)
    log = tmp_path / "a.log"
    assert not log_files.rotate(log), "there is none"
    for text in ("first", "second", "third"):
        log.write_text("1234")
        assert not log_files.rotate(log), "it is small"
        log.write_text(text)
        assert log_files.rotate(log)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.log.1": "third", "a.log.2": "second"}


def test_the_last_line_is_empty_if_there_is_none(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert log_files.last_line(log) == ""
    log.write_text("first\nsecond\n")
    assert log_files.last_line(log) == "second"
