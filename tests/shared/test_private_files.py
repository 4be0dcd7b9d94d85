"""Private files can be read by their owner only, at every moment."""

from pathlib import Path

import pytest

from shared.private_files import append_private, make_private, new_secret, secret_in, write_private


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("exists", [False, True])
def test_a_directory_becomes_private(tmp_path: Path, exists: bool) -> None:
    directory = tmp_path / "outer" / "inner"
    if exists:
        directory.mkdir(mode=0o755, parents=True)
    make_private(directory)
    assert mode(directory) == 0o700


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as reader:
        write_private(path, "new")
        assert reader.read() == "old"
    assert (path.read_text(), mode(path)) == ("new", 0o600)


def test_a_log_becomes_private_and_keeps_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text("first\n")
    path.chmod(0o644)
    with append_private(path) as log:
        log.write(b"second\n")
    assert (path.read_text(), mode(path)) == ("first\nsecond\n", 0o600)


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "password"
    assert secret_in(path) == secret_in(path) == path.read_text()
    assert mode(path) == 0o600
    assert len(path.read_text()) == 64
    assert new_secret() != new_secret()
