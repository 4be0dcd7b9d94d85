"""The first keys of a system, which no other key can make: `admin_service` stores them in MongoDB directly."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from leadscore.admin.v1 import admin_pb2 as pb

from cli.terminal.connection import CommandError
from cli.terminal.files import secret_file

ADMIN_KEY, SERVICES_KEY = "admin.key", "services.key"
PEOPLE = ("admin", "ingest", "read", "operate", "publish")
"""The roles of the key that `leadscore up --keys` makes for people: all but that of services."""
SERVICES = ("service", "ingest")
"""The roles of the key of the services: the gateway sends the events of webhooks with it."""
_ALREADY = "neither revoked nor expired"
"""A part of the error that says that there is such a key already."""


def first_key(name: str, roles: Sequence[str], environment: Mapping[str, str]) -> pb.CreateApiKeyResponse:
    """Makes the first key with the role `admin` or `service`.

    Raises:
        CommandError: A key with the role can be used already, or MongoDB does not answer; the text is one line.
    """
    asked = {"LEADSCORE_BOOTSTRAP_NAME": name, "LEADSCORE_BOOTSTRAP_ROLES": ",".join(roles)}
    command = [sys.executable, "-m", "admin_service", "bootstrap"]
    # In a session of its own, so that Ctrl-C signals only this process.
    done = subprocess.run(
        command, env={**environment, **asked}, capture_output=True, text=True, check=False, start_new_session=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise CommandError(lines[-1] if lines else "the first key could not be made")
    text = done.stdout.strip()
    key = pb.ApiKey(key_id=text.split("_")[1], name=name, roles=[f"ROLE_{role.upper()}" for role in roles])
    return pb.CreateApiKeyResponse(api_key=key, text=text)


def local_keys(directory: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Makes the keys of a system on this machine, unless it has them; returns settings that turn authentication on.

    The directory then has a key for people and a key with which the services call each other.

    Raises:
        CommandError: The file of a key that can be used is missing, or a key cannot be made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file, roles in ((ADMIN_KEY, PEOPLE), (SERVICES_KEY, SERVICES)):
        _make_unless_made(directory / file, roles, environment)
    # A key in the environment is that of a person; services must not act in their name.
    own = {"LEADSCORE_API_KEY": "", "LEADSCORE_API_KEY_FILE": str(directory / SERVICES_KEY)}
    return {"LEADSCORE_AUTHENTICATION": "on", **own}


def _make_unless_made(file: Path, roles: Sequence[str], environment: Mapping[str, str]) -> None:
    try:
        text = first_key(file.stem, roles, environment).text
    except CommandError as error:
        if _ALREADY not in str(error):
            raise
        if file.exists():
            return
        problem = f"{file} is missing, but a key with the role {roles[0]} exists"
        raise CommandError(f"{problem}: put its text there, or revoke it") from None
    with secret_file(str(file)) as stream:
        stream.write(text)
