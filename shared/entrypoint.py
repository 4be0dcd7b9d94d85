"""The entry point of a service: `python -m <service> serve | work | migrate | check`.

Guarantee: a process that cannot start prints what to do to standard error, one line per mistake, and exits with status
1; Ctrl-C ends it cleanly. If a part of a running process fails, the process exits within seconds, with one log line and
status `FAILED`.
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shared import event_loops, logs, processes, watchdog
from shared.rpc import handshake_log
from shared.settings import MongoSettings, ProcessSettings, StartupError, TlsSettings, load, unknown_variables
from shared.tasks import BackgroundTaskEnded

if TYPE_CHECKING:
    from shared.checkup import Check

S = TypeVar("S", bound=ProcessSettings)
YOUNG_OBJECTS = 10_000
"""New objects after which the garbage collector looks for cycles. With Python's default of 700, a worker spends a
seventh of its time on that, because a batch makes many objects and hardly any cycle."""
_WITH_USERS = (
    "Also create a user of MongoDB for this service, with the rights that it needs, and write its URI to "
    "DIRECTORY/SERVICE/leadscore_mongo_uri."
)
_WITH_PARENT = "Stop when standard input, a pipe, closes: when the process that has started this one ends."
_WAIT = "Check again for up to this time if something is wrong, for example because migrate has not run yet."
_LOG = logs.get(__name__)


def run(
    service: str,
    settings: type[S],
    commands: Mapping[str, Callable[[S], None]],
    *,
    sharded: Callable[[S], None] | None = None,
    checks: "Callable[[S], Sequence[Check]]" = lambda _: (),
) -> None:
    """Runs the command that the command line names, with the settings from the environment.

    Each command's docstring is its help. `sharded` is what `migrate --sharded` runs. `migrate --with-users` also
    creates the service's own user of MongoDB. Every service has the command `check`, which runs its `checks`.
    """
    arguments = _parser(service, commands, sharded).parse_args()
    all_commands = {**commands, "check": lambda loaded: _check(loaded, checks(loaded), arguments.wait)}
    command = sharded if sharded and getattr(arguments, "sharded", False) else all_commands[arguments.command]
    try:
        loaded = load(settings)
        _prepare(service, loaded, stop_with_parent=getattr(arguments, "stop_with_parent", False))
        command(loaded)
        if isinstance(loaded, MongoSettings) and getattr(arguments, "with_users", None):
            _create_user(loaded, service.removesuffix("_service"), arguments.with_users)
    except StartupError as error:
        sys.exit(f"{service}: {error}")
    except BackgroundTaskEnded:
        # The failure is logged and resources are closed. Do not wait for threads that wait for the failed task.
        sys.stderr.flush()
        os._exit(watchdog.FAILED)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser(
    service: str, commands: Mapping[str, Callable[[S], None]], sharded: Callable[[S], None] | None
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {service}",
        description=sys.modules[service].__doc__,
        epilog="Settings are read from LEADSCORE_* variables; see docs/operations.md.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chosen = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in commands.items():
        subparser = chosen.add_parser(name, help=command.__doc__)
        subparser.add_argument("--stop-with-parent", action="store_true", help=_WITH_PARENT)
        if name == "migrate":
            subparser.add_argument("--with-users", type=Path, metavar="DIRECTORY", help=_WITH_USERS)
        if name == "migrate" and sharded is not None:
            subparser.add_argument("--sharded", action="store_true", help=sharded.__doc__)
    checking = chosen.add_parser("check", help=_check.__doc__)
    checking.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help=_WAIT)
    return parser


def _check(settings: ProcessSettings, checks: "Sequence[Check]", wait: float) -> None:
    """Check the settings and the database, and change nothing; one line per problem, and status 1 if there is one."""
    from shared import checkup  # not every process needs a driver

    if isinstance(settings, MongoSettings):
        event_loops.run(checkup.examine(settings.mongo_uri.get_secret_value(), checks, wait=wait))


def _prepare(service: str, settings: ProcessSettings, *, stop_with_parent: bool) -> None:
    """Sets up logs, the watchdog and the garbage collector, and what else every process has."""
    if isinstance(settings, TlsSettings) and (settings.serves_tls or settings.calls_over_tls):
        handshake_log.begin()
    logs.configure(service, settings.log_level)
    for sentence in unknown_variables():
        _LOG.warning("unknown setting", advice=sentence)
    watchdog.arm()
    _tune_garbage_collector()
    if stop_with_parent:
        processes.stop_after(sys.stdin.fileno())


def _create_user(settings: MongoSettings, service: str, directory: Path) -> None:
    from shared import database_users  # not every process needs a driver

    path = event_loops.run(database_users.create_user(settings.mongo_uri.get_secret_value(), service, directory))
    _LOG.info("user created", service=service, file=str(path))


def _tune_garbage_collector() -> None:
    gc.freeze()  # what has been imported lives as long as the process: there is no need to visit it again
    gc.set_threshold(YOUNG_OBJECTS)
