"""The actor answers the doorbell."""

from collections.abc import Awaitable, Callable

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import AsyncIO

from automation_service import jobs
from automation_service.app import Worker
from shared.doorbell import Doorbell

QUEUE = Doorbell.queue("score_changes")


def ring(drain: Callable[[int], Awaitable[int]]) -> StubBroker:
    """Rings for partition 17 and returns the broker when the actor has answered."""
    broker = StubBroker(middleware=[AsyncIO()])
    jobs.register(broker, lambda: Worker(drain))
    broker.enqueue(dramatiq.Message(queue_name=QUEUE, actor_name=QUEUE, args=(17,), kwargs={}, options={}))
    worker = dramatiq.Worker(broker, worker_timeout=10, worker_threads=1)
    worker.start()
    try:
        broker.join(QUEUE)
    finally:
        worker.stop()
        broker.close()
    return broker


def test_a_ring_drains_its_partition() -> None:
    drained = []

    async def drain(partition: int) -> int:
        drained.append(partition)
        return 0

    ring(drain)
    assert drained == [17]


def test_a_drain_that_fails_leaves_one_line_and_no_dead_letter(capsys: pytest.CaptureFixture[str]) -> None:
    async def drain(partition: int) -> int:
        raise ConnectionError("intelligence is away")

    assert ring(drain).dead_letters == []
    assert capsys.readouterr().out.count("drain failed") == 1
