"""`python -m deploy.migrate [ARGUMENT …]`: runs the migrate of every service, with the same arguments.

For containers: `--with-users DIRECTORY` also creates the database users of the services, `--sharded` shards the
collections. It stops at the first migrate that fails, and can be repeated.
"""

import subprocess
import sys

SERVICES = ("ingest", "scoring", "automation", "intelligence", "admin")


def main() -> None:
    """Runs one after the other."""
    for service in SERVICES:
        # Intelligence stores nothing that could be sharded.
        arguments = [name for name in sys.argv[1:] if (service, name) != ("intelligence", "--sharded")]
        command = [sys.executable, "-m", f"{service}_service", "migrate", *arguments]
        if status := subprocess.run(command, check=False).returncode:  # noqa: S603 (our own services)
            sys.exit(status)


if __name__ == "__main__":
    main()
