"""The doorbells of two processes that share one inbox."""

import uuid
from typing import Any

from dramatiq import Message

from shared.inbox import broker as brokers
from shared.inbox.broker import DoorbellBroker
from shared.inbox.doorbell import Doorbell
from tests.shared.waiting import until

SOON = 0.25
"""Time limit in seconds for a Redis that hangs."""


class DoorbellPair:
    """A doorbell, the doorbell of another process, and the queue of both."""

    def __init__(self, redis_url: str) -> None:
        self.inbox = f"letters_{uuid.uuid4().hex}"
        self.broker: DoorbellBroker = brokers.connect(redis_url)
        self.doorbell = Doorbell(self.broker, self.inbox)
        self._second: DoorbellBroker = brokers.connect(redis_url)
        self.other = Doorbell(self._second, self.inbox)

    def messages(self) -> list[Message[None]]:
        """Returns the messages in the queue."""
        found: Any = self.broker.client.lrange(self.broker.key(Doorbell.queue(self.inbox)), 0, -1)
        return [Message.decode(data) for data in found]

    def queued(self) -> list[list[int]]:
        """Returns the partitions of each queued message, sorted."""
        return sorted(message.args[0] for message in self.messages())

    def take_messages(self) -> list[list[int]]:
        """Returns the same and empties the queue, as a worker does."""
        messages = self.queued()
        self.broker.client.delete(self.broker.key(Doorbell.queue(self.inbox)))
        return messages

    def close(self) -> None:
        """Closes the connections."""
        self.broker.client.close()
        self._second.client.close()

    async def has_queued(self, *partitions: list[int]) -> None:
        """Waits until the queue holds exactly these messages."""
        expected = sorted(partitions)
        await until(lambda: self.queued() == expected, what=f"messages for {expected}")
