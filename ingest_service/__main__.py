"""`python -m ingest_service serve | migrate | check`."""

from ingest_service.app import checks, run_migration, run_server
from ingest_service.settings import IngestSettings
from shared import entrypoint, event_loops, processes


def serve(settings: IngestSettings) -> None:
    """Serve the IngestService until SIGTERM."""
    event_loops.run(run_server(processes.fork(settings)))


def migrate(settings: IngestSettings) -> None:
    """Create the collection and indexes of the inbox; safe to run again."""
    event_loops.run(run_migration(settings))


def migrate_sharded(settings: IngestSettings) -> None:
    """Also shard the collections over all shards; the URI is that of a mongos."""
    event_loops.run(run_migration(settings, sharded=True))


if __name__ == "__main__":
    commands = {"serve": serve, "migrate": migrate}
    entrypoint.run("ingest_service", IngestSettings, commands, sharded=migrate_sharded, checks=checks)
