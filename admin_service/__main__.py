"""`python -m admin_service serve | migrate | bootstrap | check`."""

from admin_service.app import checks, run_bootstrap, run_migration, run_server
from admin_service.settings import AdminSettings
from shared import entrypoint, event_loops, processes


def serve(settings: AdminSettings) -> None:
    """Serve the AdminService until SIGTERM."""
    event_loops.run(run_server(processes.fork(settings)))


def migrate(settings: AdminSettings) -> None:
    """Create the collections and indexes of this service; safe to run again."""
    event_loops.run(run_migration(settings))


def migrate_sharded(settings: AdminSettings) -> None:
    """The same on a cluster; the URI is that of a mongos."""
    event_loops.run(run_migration(settings, sharded=True))


def bootstrap(settings: AdminSettings) -> None:
    """Make the first key and print its text; refused while a live key has its role."""
    event_loops.run(run_bootstrap(settings))


if __name__ == "__main__":
    commands = {"serve": serve, "migrate": migrate, "bootstrap": bootstrap}
    entrypoint.run("admin_service", AdminSettings, commands, sharded=migrate_sharded, checks=checks)
