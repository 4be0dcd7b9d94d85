"""Another user of the machine can neither use the databases of `leadscore up` nor read anything of it."""

import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.database_rights import RIGHTS
from shared.database_users import FILE
from tests.cli.intruder import attempts, nobody, only_as_root, open_to_others
from tests.cli.running_up import Up, descendants, read_process


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """A system that runs in a directory that every user may list."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        running = Up(Path(directory) / "data")
        yield running
        running.stop(signal.SIGTERM)


def test_every_file_is_private(up: Up) -> None:
    assert open_to_others(up.data_dir) == []


@only_as_root
def test_another_user_can_do_nothing(up: Up) -> None:
    port = int((up.data_dir / "mongo" / "port").read_text())
    assert attempts(nobody(), up.data_dir.parent, port, up.data_dir / "redis" / "redis.sock") == set()


def test_each_service_has_its_own_database_user_and_none_the_password_of_the_owner(up: Up) -> None:
    environments = [read_process(pid, "environ") for pid in descendants(up.process.pid)]
    users = [user for each in environments for user in re.findall(r"LEADSCORE_MONGO_URI=mongodb://(\w+):", each)]
    assert set(users) == {f"leadscore_{service}" for service in RIGHTS}
    password = (up.data_dir / "mongo" / "password").read_text()
    assert not any(password in each for each in environments)


def test_secrets_are_neither_on_command_lines_nor_in_logs(up: Up) -> None:
    names = ("key", "password", "secret.key", FILE)
    secrets = [path.read_text().strip() for path in up.data_dir.rglob("*") if path.name in names]
    seen = [read_process(pid, "cmdline") for pid in descendants(up.process.pid)]
    seen += [*up.lines, *(path.read_text() for path in up.data_dir.rglob("*.log"))]
    assert len(secrets) == 9, "expected the key of mongod, two passwords, the key of secrets, and five database users"
    assert not [secret for secret in secrets if any(secret in text for text in seen)]
