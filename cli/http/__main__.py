"""`python -m cli.http serve | write DIRECTORY`: runs Envoy, or writes its configuration for an Envoy of one's own."""

import sys
from pathlib import Path

from cli.http.envoy import run, write
from cli.http.settings import HttpSettings
from shared.settings import StartupError, load


def main() -> None:
    """Runs the command."""
    try:
        match sys.argv[1:]:
            case ["serve"]:
                run(load(HttpSettings))
            case ["write", directory]:
                write(load(HttpSettings), Path(directory).resolve())
            case _:
                sys.exit("usage: python -m cli.http serve | write DIRECTORY")
    except StartupError as error:
        sys.exit(f"cli.http: {error}")


if __name__ == "__main__":
    main()
