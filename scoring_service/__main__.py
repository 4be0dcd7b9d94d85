"""`python -m scoring_service serve | work | assist | migrate | check`."""

from functools import partial

from scoring_service.app import checks, open_worker, run_helper, run_migration, run_server
from scoring_service.settings import ScoringSettings
from shared import entrypoint, event_loops, processes
from shared.contracts import events
from shared.inbox import actor, worker
from shared.rpc.names import worker_name


def serve(settings: ScoringSettings) -> None:
    """Serve the ScoringService until SIGTERM."""
    event_loops.run(run_server(processes.fork(settings)))


def work(settings: ScoringSettings) -> None:
    """Score pending events until SIGTERM; run as many workers as the load requires."""
    worker.work(
        settings,
        settings.redis_url.get_secret_value(),
        settings.host,
        partial(open_worker, settings),
        partial(actor.register, events.CONTRACT.collection),
        worker_name("scoring"),
    )


def assist(settings: ScoringSettings) -> None:
    """Help the server that starts this process with streams that read every lead; not to be run by hand."""
    event_loops.run(run_helper(settings))


def migrate(settings: ScoringSettings) -> None:
    """Create the collections, indexes and the built-in model of this service; safe to run again."""
    event_loops.run(run_migration(settings))


def migrate_sharded(settings: ScoringSettings) -> None:
    """Also shard the collections over all shards; the URI is that of a mongos."""
    event_loops.run(run_migration(settings, sharded=True))


if __name__ == "__main__":
    entrypoint.run(
        "scoring_service",
        ScoringSettings,
        {"serve": serve, "work": work, "assist": assist, "migrate": migrate},
        sharded=migrate_sharded,
        checks=checks,
    )
