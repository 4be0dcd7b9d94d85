"""What the outside saw: filled by the harness, read by the checker."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import grpc
from leadscore.ingest.v1 import ingest_pb2


@dataclass(frozen=True, slots=True)
class Seen:
    """One finished call of a client.

    `seconds` is how long it took, `deadline` how long the client allowed, in seconds. `under_fault` tells that a fault
    was on, or healing was not over, at some time of the call.
    """

    method: str
    code: grpc.StatusCode
    seconds: float
    deadline: float
    under_fault: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the receiver of webhooks saw.

    `delivery_id` is its `webhook-id`, `answered` the HTTP status that it was given, 0 for none (reset, time-out).
    """

    delivery_id: str
    body: bytes
    has_valid_signature: bool
    answered: int


@dataclass(frozen=True, slots=True)
class Bystander:
    """A lead that shared a partition with heavy work, or with what was broken.

    `what` it was to become ("visible", "delivered"), `seconds` how long that took from the acknowledgement, `allowed`
    how long it may take, `during` the fault. With `is_lost` it was given up after so many seconds.
    """

    lead_id: str
    what: str
    seconds: float
    allowed: float
    during: str
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """One health check beside a fault that is not of the server itself."""

    server: str
    seconds: float
    is_serving: bool
    during: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """One look at a backlog while a row waited, as was known without it.

    `what` waits ("event", "change", "delivery"), `since` when it was accepted, `shown_since` what the RPC named as the
    time of the oldest, None when it showed none. What is older than `visible_age` must be shown.
    """

    what: str
    row_id: str
    since: datetime
    shown_since: datetime | None
    look_time: datetime
    visible_age: timedelta


@dataclass(slots=True)
class Journal:
    """Everything that the outside saw since the database was made.

    `sent` holds each event as first sent, and is written before the call. `acknowledged` are the ids that got ACCEPTED
    or DUPLICATE for the payload in `sent`; `refused` those for which another payload was offered too, and refused.
    `wrongly_accepted` are sentences about answers that contradict this (I11). `shown` is what replies and deliveries
    showed of an entry, by lead and sequence, under the names of its fields. `decayed_through` is the last date of which
    a decay run said that its ticks are applied. `parked` are the ids of events and changes that are expected to be
    parked, `discarded` those that somebody has discarded. `acknowledged_at` is when an event was first acknowledged, by
    the machine's clock. `bystanders`, `health` and `backlogs` are what was seen of those who wait.
    """

    sent: dict[str, ingest_pb2.Event] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    wrongly_accepted: list[str] = field(default_factory=list)
    shown: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    decayed_through: str = ""
    calls: list[Seen] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    parked: set[str] = field(default_factory=set)
    discarded: set[str] = field(default_factory=set)
    acknowledged_at: dict[str, datetime] = field(default_factory=dict)
    bystanders: list[Bystander] = field(default_factory=list)
    health: list[Health] = field(default_factory=list)
    backlogs: list[Backlog] = field(default_factory=list)
