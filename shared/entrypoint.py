"""How a service is started: `python -m <service> serve | work | migrate`.

Guarantee: what keeps a process from starting is told in one line on standard error, with exit status 1; Ctrl-C ends it
cleanly. A process a part of which fails later ends within seconds, with one log line and the status `FAILED`.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

from shared import logs, watchdog
from shared.settings import ProcessSettings, StartupError, load
from shared.tasks import BackgroundTaskEnded

S = TypeVar("S", bound=ProcessSettings)


def run(service: str, settings: type[S], commands: Mapping[str, Callable[[S], None]]) -> None:
    """Runs the command that the command line names, with the settings from the environment.

    Each command's docstring is its help.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {service}",
        description=sys.modules[service].__doc__,
        epilog="Settings are read from LEADSCORE_* variables; see docs/operations.md.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chosen = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in commands.items():
        chosen.add_parser(name, help=command.__doc__)
    command = commands[parser.parse_args().command]
    try:
        loaded = load(settings)
        logs.configure(service, loaded.log_level)
        watchdog.arm()
        command(loaded)
    except StartupError as error:
        sys.exit(f"{service}: {error}")
    except BackgroundTaskEnded:
        # It is logged. What could be closed is closed; threads that wait for what has ended are not waited for.
        sys.stderr.flush()
        os._exit(watchdog.FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
