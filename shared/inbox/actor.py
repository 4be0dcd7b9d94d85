"""The dramatiq actor that answers the doorbell of an inbox.

Guarantee: the actor hands its partitions to the drainer and does nothing else, so it is safe to run twice, also at the
same time.
"""

from collections.abc import Callable

import dramatiq

from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell


def register(collection: str, broker: dramatiq.Broker, drainer: Callable[[], Drainer]) -> None:
    """Declares the actor for the inbox in a collection; its name is that of the queue."""
    name = Doorbell.queue(collection)

    @dramatiq.actor(broker=broker, actor_name=name, queue_name=name)
    async def drain(partitions: list[int]) -> None:
        await drainer().drain(partitions)
