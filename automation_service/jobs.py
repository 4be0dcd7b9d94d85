"""dramatiq ⇄ use cases."""

from collections.abc import Callable

import dramatiq

from automation_service.app import Worker
from automation_service.store import CHANGES
from shared import logs
from shared.doorbell import Doorbell

_NAME = Doorbell.queue(CHANGES)
_LOG = logs.get(__name__)


def register(broker: dramatiq.Broker, worker: Callable[[], Worker]) -> None:
    """Declares the actor that answers the doorbell of `score_changes`. It is safe to run twice, also at once."""

    @dramatiq.actor(broker=broker, actor_name=_NAME, queue_name=_NAME)
    async def drain_score_changes(partition: int) -> None:
        try:
            await worker().drain(partition)
        except Exception as error:  # noqa: BLE001 (the rows are still pending, and the sweeper rings again)
            _LOG.warning("drain failed", partition=partition, error=repr(error))
