"""Another user of the machine can neither use the databases of `leadscore up` nor read anything of it."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.intruder import attempts, nobody, only_as_root
from tests.cli.test_up import Up, descendants


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """A system that runs in a directory that every user may list."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        running = Up(Path(directory) / "data")
        yield running
        running.stop(signal.SIGTERM)


def test_every_file_is_private(up: Up) -> None:
    paths = [up.data_dir, *up.data_dir.rglob("*")]
    assert [path for path in paths if path.stat().st_mode & 0o077] == []


@only_as_root
def test_another_user_can_do_nothing(up: Up) -> None:
    port = int((up.data_dir / "mongo" / "port").read_text())
    assert attempts(nobody(), up.data_dir.parent, port, up.data_dir / "redis" / "redis.sock") == set()


def test_secrets_are_neither_on_command_lines_nor_in_logs(up: Up) -> None:
    names = ("key", "password", "secret.key")
    secrets = [path.read_text().strip() for path in up.data_dir.rglob("*") if path.name in names]
    seen = [Path(f"/proc/{pid}/cmdline").read_text() for pid in descendants(up.process.pid)]
    seen += [*up.lines, *(path.read_text() for path in up.data_dir.rglob("*.log"))]
    assert len(secrets) == 4, "expected the key of mongod, two passwords, and the key of secrets"
    assert not [secret for secret in secrets if any(secret in text for text in seen)]
