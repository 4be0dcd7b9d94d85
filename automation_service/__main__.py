"""`python -m automation_service serve | work | migrate | check | reencrypt | hold`."""

from functools import partial

from automation_service.app import checks, open_worker, run_hold, run_migration, run_reencryption, run_server
from automation_service.settings import AutomationSettings
from shared import entrypoint, event_loops, processes
from shared.contracts import score_changes
from shared.inbox import actor, worker
from shared.rpc.names import worker_name


def serve(settings: AutomationSettings) -> None:
    """Serve the AutomationService until SIGTERM."""
    event_loops.run(run_server(processes.fork(settings)))


def work(settings: AutomationSettings) -> None:
    """Evaluate the rules at pending changes and deliver, until SIGTERM. Run as many workers as needed."""
    worker.work(
        settings,
        settings.redis_url.get_secret_value(),
        settings.host,
        partial(open_worker, settings),
        partial(actor.register, score_changes.CONTRACT.collection),
        worker_name("automation"),
    )


def migrate(settings: AutomationSettings) -> None:
    """Create the collections and indexes of this service. Safe to run again."""
    event_loops.run(run_migration(settings))


def migrate_sharded(settings: AutomationSettings) -> None:
    """Also shard the collections over all shards; the URI is that of a mongos."""
    event_loops.run(run_migration(settings, sharded=True))


def reencrypt(settings: AutomationSettings) -> None:
    """Encrypt all stored secrets with the first key of LEADSCORE_SECRET_KEYS. Safe to run again."""
    event_loops.run(run_reencryption(settings))


def hold(settings: AutomationSettings) -> None:
    """Hold all deliveries, for a restored database before its first start. `leadscore deliveries release` ends it."""
    event_loops.run(run_hold(settings))


if __name__ == "__main__":
    commands = {"serve": serve, "work": work, "migrate": migrate, "reencrypt": reencrypt, "hold": hold}
    entrypoint.run("automation_service", AutomationSettings, commands, sharded=migrate_sharded, checks=checks)
