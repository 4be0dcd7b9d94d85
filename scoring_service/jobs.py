"""dramatiq ⇄ use cases."""

from collections.abc import Callable

import dramatiq

from scoring_service.app import Worker
from scoring_service.store import EVENTS
from shared import logs
from shared.doorbell import Doorbell

_NAME = Doorbell.queue(EVENTS)
_LOG = logs.get(__name__)


def register(broker: dramatiq.Broker, worker: Callable[[], Worker]) -> None:
    """Declares the actor that answers the doorbell of the inbox `events`. It is safe to run twice, also at once."""

    @dramatiq.actor(broker=broker, actor_name=_NAME, queue_name=_NAME)
    async def drain_events(partition: int) -> None:
        try:
            await worker().drain(partition)
        except Exception as error:  # noqa: BLE001 (the rows are still pending, and the sweeper rings again)
            _LOG.warning("drain failed", partition=partition, error=repr(error))
