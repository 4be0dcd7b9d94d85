"""dramatiq ⇄ use cases."""

from collections.abc import Callable

import dramatiq

from automation_service.store import CHANGES
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell

_NAME = Doorbell.queue(CHANGES)


def register(broker: dramatiq.Broker, drainer: Callable[[], Drainer]) -> None:
    """Declares the actor that answers the doorbell of `score_changes`. Running it twice, even concurrently, is safe."""

    @dramatiq.actor(broker=broker, actor_name=_NAME, queue_name=_NAME)
    async def drain_score_changes(partitions: list[int]) -> None:
        await drainer().drain(partitions)
