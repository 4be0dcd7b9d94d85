"""Runs the processes of a system under supervisor, which restarts those that exit."""

import configparser
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from cli.local import log_files, tied
from cli.local.plan import Plan, Program
from cli.terminal.connection import CommandError
from shared.private_files import UMASK, make_private, write_private

READY_SECONDS = 180.0
STOP_SECONDS = 30

# Generic for the type checker only.
Supervisor: TypeAlias = "subprocess.Popen[bytes]"


@contextmanager
def supervised(plan: Plan, environment: Mapping[str, str], mongo_uris: Mapping[str, str]) -> Iterator[Supervisor]:
    """Runs every program of a plan while the block runs; all of them are serving when it begins.

    `mongo_uris` has the URI of MongoDB for each service, if it differs between services.

    Raises:
        CommandError: A program did not start; the text has the last line of its log.
    """
    config, text = plan.data_dir / "supervisord.conf", io.StringIO()
    _configuration(plan, mongo_uris).write(text)
    write_private(config, text.getvalue())
    command = [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(config)]
    # In a session of its own, so that this process decides in which order processes stop.
    supervisor = subprocess.Popen(
        tied.command_for(*command),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        umask=UMASK,  # for the logs
    )
    try:
        _wait_until_serving(plan, supervisor)
        yield supervisor
    finally:
        supervisor.terminate()
        supervisor.communicate()


def _configuration(plan: Plan, mongo_uris: Mapping[str, str]) -> configparser.RawConfigParser:
    configuration = configparser.RawConfigParser()
    configuration["supervisord"] = {
        "logfile": _literal(plan.data_dir / "supervisord.log"),
        "logfile_maxbytes": str(log_files.MAX_BYTES),
        "logfile_backups": str(log_files.BACKUPS),
        "pidfile": _literal(plan.data_dir / "supervisord.pid"),
        "childlogdir": _literal(plan.data_dir),
    } | ({"user": "root"} if os.geteuid() == 0 else {})
    logs = plan.data_dir / "logs"
    make_private(logs)
    for program in plan.programs():
        configuration[f"program:{program.name}"] = {
            "command": _literal(" ".join(f'"{part}"' for part in program.command_line)),
            "environment": _environment(program, mongo_uris),
            "autorestart": "true",
            "startretries": "1000000",
            "stopwaitsecs": str(STOP_SECONDS),
            "redirect_stderr": "true",
            "stdout_logfile": _literal(_literal(logs / f"{program.name}.log")),  # supervisor expands it twice
            "stdout_logfile_maxbytes": str(log_files.MAX_BYTES),
            "stdout_logfile_backups": str(log_files.BACKUPS),
        }
    return configuration


def _environment(program: Program, mongo_uris: Mapping[str, str]) -> str:
    """Returns the variables of a program, in supervisor's syntax."""
    own = {"LEADSCORE_MONGO_URI": mongo_uris[program.service]} if program.service in mongo_uris else {}
    return ",".join(f'{name}="{_literal(value)}"' for name, value in (program.environment | own).items())


def _literal(value: object) -> str:
    """Returns a value in which supervisor finds nothing to expand."""
    return str(value).replace("%", "%%")


def _wait_until_serving(plan: Plan, supervisor: Supervisor) -> None:
    ends = time.monotonic() + READY_SECONDS
    for program in plan.programs():
        while not program.is_serving():
            if time.monotonic() > ends or supervisor.poll() is not None:
                raise CommandError(f"{program.name} did not start; {_last_line(plan, program)}")
            time.sleep(0.05)


def _last_line(plan: Plan, program: Program) -> str:
    last = log_files.last_line(plan.data_dir / "logs" / f"{program.name}.log")
    return f"the last line of its log is: {last}" if last else f"see {plan.data_dir}"
