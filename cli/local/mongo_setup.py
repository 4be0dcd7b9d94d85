"""Turns a new mongod with authorization into a replica set with one user.

The caller logs in as members of a replica set do among themselves, with the content of the key file. So there is no
moment at which somebody else could create the first user.
"""

import time
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from cli.terminal.connection import CommandError

PRIMARY_SECONDS = 60.0
USER = "leadscore"
"""The only user; it may do everything."""
_ALREADY_INITIALIZED, _USER_EXISTS = 23, 51003


def member_uri(port: int, key: str) -> str:
    """Returns the URI for logging in to a server of 127.0.0.1 with the content of its key file."""
    return (
        f"mongodb://__system:{key}@127.0.0.1:{port}/?directConnection=true&authSource=local&authMechanism=SCRAM-SHA-256"
    )


def user_uri(hosts: str, password: str, options: str) -> str:
    """Returns the URI of the database `leadscore` for the user."""
    return f"mongodb://{USER}:{password}@{hosts}/leadscore?{options}&authSource=admin"


def initiate(uri: str, host: str) -> None:
    """Makes the server a replica set of one member, unless it is one already; returns when it is the primary.

    Raises:
        CommandError: It does not become primary.
    """
    ends = time.monotonic() + PRIMARY_SECONDS
    with MongoClient[dict[str, Any]](uri) as client:
        try:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": host}]})
        except OperationFailure as error:
            if error.code != _ALREADY_INITIALIZED:
                raise
        while not client.admin.command("hello")["isWritablePrimary"]:
            if time.monotonic() > ends:
                raise CommandError(f"mongod at {host} does not become primary; see its log")
            time.sleep(0.02)


def create_user(uri: str, password: str) -> None:
    """Creates the user on the primary, or changes its password."""
    user: dict[str, Any] = {"pwd": password, "roles": ["root"], "mechanisms": ["SCRAM-SHA-256"]}
    with MongoClient[dict[str, Any]](uri) as client:
        try:
            client.admin.command("createUser", USER, **user)
        except OperationFailure as error:
            if error.code != _USER_EXISTS:
                raise
            client.admin.command("updateUser", USER, **user)
