"""`leadscore up`: runs the whole system on this machine under supervisor, with embedded databases unless configured."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import dropwhile
from pathlib import Path

from cli.access.bootstrap import local_keys
from cli.http import envoy
from cli.local import run_record
from cli.local.embedded import EmbeddedMongo, EmbeddedRedis
from cli.local.leftovers import stop_leftovers
from cli.local.metrics import write_targets
from cli.local.plan import Plan
from cli.local.ports import require_free_ports
from cli.local.run_record import RunRecord
from cli.local.supervisor import supervised
from cli.terminal.connection import SERVICES, CommandError
from shared.database_rights import RIGHTS
from shared.database_users import create_user
from shared.private_files import append_private, make_private
from shared.secrets import SecretSettings, keys_in
from shared.settings import StartupError, StoreSettings, load, unknown_variables


class _Given(StoreSettings, SecretSettings):
    """The settings that the environment may give; `up` provides the others."""


Say = Callable[[str], None]
"""Prints a status line."""


@contextmanager
def system(plan: Plan, say: Say) -> Iterator[Callable[[], None]]:
    """Runs a system while the block runs; all servers and workers are serving when it begins.

    Yields a function to call about once a second: it restarts database servers that have died, and rotates their logs.

    Raises:
        CommandError: The system cannot be started; the text gives the reason.
    """
    if plan.http_port:
        _require_envoy()
    with ExitStack() as stack:
        stack.enter_context(_locked(plan.data_dir))
        record = stack.enter_context(_recorded(plan, say))
        require_free_ports(plan.programs())
        write_targets(plan)
        environment, embedded = _databases(plan, stack, say)
        say("creating collections and indexes")
        for service in ("ingest", "scoring", "automation", "admin"):
            _migrate(service, environment)
        if plan.keys:
            environment |= local_keys(plan.key_file.parent, environment)
        settings = {name: value for name, value in environment.items() if name.startswith("LEADSCORE_")}
        replace(record, settings=settings).write(plan.data_dir)
        owns_mongo = any(isinstance(server, EmbeddedMongo) for server in embedded)
        uris = _users(plan, environment.pop("LEADSCORE_MONGO_URI")) if owns_mongo else {}
        say("starting the services")
        supervisor = stack.enter_context(supervised(plan, environment, uris))

        def look_after_databases() -> None:
            for server in embedded:
                if not server.is_running():
                    say(f"{server.program} died; restarting it")
                    server.start()
                server.keep_log_small()
            if supervisor.poll() is not None:
                raise CommandError(f"supervisord exited; see {plan.data_dir / 'supervisord.log'}")

        yield look_after_databases


def run_until_stopped(plan: Plan, say: Say, on_ready: Callable[[], None]) -> None:
    """Runs a system until SIGINT, SIGTERM or SIGHUP, then stops every process of it."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with system(plan, say) as look_after_databases:
        if not stop.is_set():
            on_ready()
        while not stop.wait(1.0):
            look_after_databases()
        say("stopping")


def _require_envoy() -> None:
    try:
        envoy.program()
    except StartupError as error:
        raise CommandError(str(error)) from None


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    try:
        if not data_dir.exists():  # one that exists may have other uses: what is put there is private by itself
            make_private(data_dir)
        lock = append_private(data_dir / "lock")
    except OSError as error:
        raise CommandError(f"{data_dir} cannot be used: {error.strerror}; choose another --data-dir") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"a system is already running in {data_dir}: stop it with `leadscore down --data-dir {data_dir}`, or "
                "choose another --data-dir"
            ) from None
        yield


@contextmanager
def _recorded(plan: Plan, say: Say) -> Iterator[RunRecord]:
    """Stops what an earlier run has left running, and puts this one on record while the block runs."""
    if earlier := run_record.read(plan.data_dir):
        stop_leftovers(earlier.run_id, say)
    record = run_record.of_this_process(plan.connection.base_port, plan.http_port, {})
    record.write(plan.data_dir)
    try:
        with record.marking():
            yield record
    finally:
        run_record.remove(plan.data_dir)


def _databases(plan: Plan, stack: ExitStack, say: Say) -> tuple[dict[str, str], list[EmbeddedMongo | EmbeddedRedis]]:
    try:
        given = set() if plan.own_databases else load(_Given).model_fields_set
    except StartupError as error:
        first, *others = str(error).splitlines()
        raise CommandError(first, map(str.strip, others)) from None
    for sentence in unknown_variables():
        say(sentence)
    environment = (
        os.environ
        | dict(plan.settings)
        | {f"LEADSCORE_{service.upper()}_TARGET": plan.connection.target(service) for service in SERVICES}
        | {"LEADSCORE_HTTP_CONFIG_DIR": str(plan.data_dir / "http")}
        | {"LEADSCORE_GATEWAY_TARGET": f"127.0.0.1:{plan.gateway_port}"}
    )
    if "secret_keys" not in given:
        environment["LEADSCORE_SECRET_KEYS"] = keys_in(plan.data_dir / "secret.key")
    embedded: list[EmbeddedMongo | EmbeddedRedis] = []
    if "mongo_uri" not in given:
        say("starting mongod")
        mongo = stack.enter_context(EmbeddedMongo(plan.data_dir / "mongo"))
        environment["LEADSCORE_MONGO_URI"] = mongo.uri
        embedded.append(mongo)
    if "redis_url" not in given:
        say("starting redis-server")
        redis = stack.enter_context(EmbeddedRedis(plan.data_dir / "redis"))
        environment["LEADSCORE_REDIS_URL"] = redis.url
        embedded.append(redis)
    return environment, embedded


def _users(plan: Plan, uri: str) -> dict[str, str]:
    """Creates a database user for each service, who has the rights that it needs; returns their URIs by service."""
    directory = plan.data_dir / "users"
    make_private(directory)

    async def create() -> dict[str, str]:
        paths = {service: await create_user(uri, service, directory) for service in RIGHTS}
        return {service: path.read_text() for service, path in paths.items()}

    try:
        return asyncio.run(create())
    except StartupError as error:
        raise CommandError(str(error)) from None


def _migrate(service: str, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", f"{service}_service", "migrate"]
    # In a session of its own, like every process started here, so that Ctrl-C signals only this process.
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, start_new_session=True)
    if done.returncode:
        # Log lines may come first.
        lines = [*dropwhile(lambda line: not line.startswith(f"{service}_service: "), done.stderr.splitlines())]
        lines = lines or done.stderr.splitlines()[-1:] or [f"the migration of the {service} service failed"]
        raise CommandError(lines[0], map(str.strip, lines[1:]))
