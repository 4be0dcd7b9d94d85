"""The actor answers the doorbell."""

from types import SimpleNamespace

import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import AsyncIO

from shared.inbox import actor
from shared.inbox.doorbell import Doorbell

QUEUE = Doorbell.queue("letters")


def test_a_ring_drains_its_partition() -> None:
    drained = []

    async def drain(partitions: list[int]) -> None:
        drained.extend(partitions)

    broker = StubBroker(middleware=[AsyncIO()])
    actor.register("letters", broker, lambda: SimpleNamespace(drain=drain))  # type: ignore[arg-type,return-value]
    broker.enqueue(dramatiq.Message(queue_name=QUEUE, actor_name=QUEUE, args=([17],), kwargs={}, options={}))
    worker = dramatiq.Worker(broker, worker_timeout=10, worker_threads=1)
    worker.start()
    try:
        broker.join(QUEUE)
    finally:
        worker.stop()
        broker.close()
    assert drained == [17]
