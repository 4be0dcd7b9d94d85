"""The client of leadscore: `Client` for threads, `AsyncClient` for asyncio.

Promises: every call has a deadline and is retried within a bound; errors are exceptions with `reason` and `field`; a
batcher drops no event silently. Needs grpcio, protobuf and googleapis-common-protos, and nothing else.
"""

from leadscore.client.aio import AsyncClient
from leadscore.client.async_batching import AsyncBatcher
from leadscore.client.batching import Batcher
from leadscore.client.connection import Targets
from leadscore.client.errors import (
    Conflict,
    EventsRejected,
    FlushTimeout,
    InvalidArgument,
    LeadscoreError,
    NotFound,
    Overloaded,
    QueueFull,
    Rejection,
    Unavailable,
)
from leadscore.client.events import Receipt
from leadscore.client.retry import RetryPolicy
from leadscore.client.sync import Client

__all__ = [
    "AsyncBatcher",
    "AsyncClient",
    "Batcher",
    "Client",
    "Conflict",
    "EventsRejected",
    "FlushTimeout",
    "InvalidArgument",
    "LeadscoreError",
    "NotFound",
    "Overloaded",
    "QueueFull",
    "Receipt",
    "Rejection",
    "RetryPolicy",
    "Targets",
    "Unavailable",
]
