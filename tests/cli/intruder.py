"""A process without passwords that tries to use the embedded servers and to read their files, as any user."""

import contextlib
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, os, sys
import pymongo, redis

uid, mongo_port, redis_port, redis_socket, directories, files = json.loads(sys.argv[1])

def possible():
    with (
        pymongo.MongoClient("127.0.0.1", mongo_port, directConnection=True, serverSelectionTimeoutMS=5000) as client,
        redis.Redis(port=redis_port) as by_port,
        redis.Redis(unix_socket_path=redis_socket) as by_socket,
    ):
        attempts = [
            *(("list", lambda path=path: os.listdir(path)) for path in directories),
            *(("read", lambda path=path: open(path, "rb").close()) for path in files),
            ("find", lambda: client.leadscore.automation_rules.find_one()),
            ("create a user", lambda: client.admin.command("createUser", "eve", pwd="eve", roles=["root"])),
            ("initiate", lambda: client.admin.command("replSetInitiate", {})),
            ("set the directory by port", lambda: by_port.config_set("dir", "/tmp")),
            ("set the directory by socket", lambda: by_socket.config_set("dir", "/tmp")),
            ("ping by socket", by_socket.ping),
        ]
        for name, call in attempts:
            try:
                call()
            except (OSError, pymongo.errors.PyMongoError, redis.RedisError):
                continue
            yield name

found = list(possible())  # also imports what another user could not import from here
if uid != os.getuid():
    os.setgroups([]), os.setgid(uid), os.setuid(uid)
    found = list(possible())
for name in found:
    print(name)
"""
"""Prints what it could do."""

only_as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


def open_to_others(directory: Path) -> list[Path]:
    """Returns what others may read, write or list: the directory, and all that is in it."""
    found = []
    for path in (directory, *directory.rglob("*")):
        with contextlib.suppress(FileNotFoundError):  # mongod renames files at each checkpoint
            if path.stat().st_mode & 0o077:
                found.append(path)
    return found


def nobody() -> int:
    """Returns the id of the user `nobody`."""
    return pwd.getpwnam("nobody").pw_uid


def attempts(uid: int, directory: Path, mongo_port: int, redis_socket: Path, redis_port: int = 1) -> set[str]:
    """Returns what a process of a user could do without a password; what is to be read is in `directory`."""
    directories = [str(path) for path in directory.rglob("*") if path.is_dir()]
    files = [str(path) for path in directory.rglob("*") if path.is_file()]
    where = json.dumps((uid, mongo_port, redis_port, str(redis_socket), directories, files))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, where], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-1500:]
    return set(done.stdout.splitlines())
