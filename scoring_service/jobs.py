"""dramatiq ⇄ use cases."""

from collections.abc import Callable

import dramatiq

from scoring_service.store import EVENTS
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell

_NAME = Doorbell.queue(EVENTS)


def register(broker: dramatiq.Broker, drainer: Callable[[], Drainer]) -> None:
    """Declares the actor that answers the doorbell of `events`. It is safe to run twice, also at once."""

    @dramatiq.actor(broker=broker, actor_name=_NAME, queue_name=_NAME)
    async def drain_events(partitions: list[int]) -> None:
        await drainer().drain(partitions)
