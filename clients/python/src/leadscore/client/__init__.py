"""The client of leadscore: `Client` for threads, `AsyncClient` for asyncio.

Guarantee: every call has a deadline, and retries end; errors are exceptions with `reason` and `field`; a batcher never
drops an event silently. The only dependencies are grpcio, protobuf and googleapis-common-protos.
"""

from leadscore.client.aio import AsyncClient
from leadscore.client.async_batching import AsyncBatcher
from leadscore.client.batching import Batcher
from leadscore.client.connection import Targets
from leadscore.client.errors import (
    AccessDenied,
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
from leadscore.client.tls import Tls

__all__ = [
    "AccessDenied",
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
    "Tls",
    "Unavailable",
]
