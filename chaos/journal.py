"""What clients and receivers observed: the harness writes it, the checker reads it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import grpc
from leadscore.ingest.v1 import ingest_pb2


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """One finished call of a client.

    `seconds` is its duration, `deadline` the client's deadline in seconds. `under_fault`: a fault was active, or the
    system had not yet recovered from one, at some time during the call. `progress` says how far a long call had come.
    """

    method: str
    code: grpc.StatusCode
    seconds: float
    deadline: float
    under_fault: bool
    progress: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the webhook receiver got.

    `delivery_id` is its `webhook-id`; `answered` is the HTTP status of the response, 0 for none (reset, time-out).
    """

    delivery_id: str
    body: bytes
    has_valid_signature: bool
    answered: int


@dataclass(frozen=True, slots=True)
class Bystander:
    """A lead that shared a partition with heavy work or with a broken row.

    `what` should happen to its event ("visible", "delivered"), and did `seconds` after the acknowledgement. `allowed`
    is the limit, `during` the fault. `is_lost`: it had not happened after `seconds`.
    """

    lead_id: str
    what: str
    seconds: float
    allowed: float
    during: str
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """One health check of a server that the current fault does not affect."""

    server: str
    seconds: float
    is_serving: bool
    during: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """One response of a backlog RPC, next to what the harness itself knows to be waiting.

    `what` is the kind of the oldest waiting row ("event", "change", "delivery"), `since` the time from which it waits,
    and `shown_since` the time of the oldest row in the response, None if it had none. A row older than `visible_age`
    must be in the response.
    """

    what: str
    row_id: str
    since: datetime
    shown_since: datetime | None
    observe_time: datetime
    visible_age: timedelta


@dataclass(slots=True)
class Journal:
    """Everything that clients and receivers have observed since the database was created.

    * `sent`: each event as first sent; written before the call.
    * `acknowledged`: the ids that got ACCEPTED or DUPLICATE for the payload in `sent`.
    * `refused`: the ids for which another payload was offered, too, and refused.
    * `wrongly_accepted`: sentences about responses that contradict these (I11).
    * `shown`: the fields of an entry that responses and deliveries showed, by lead and sequence.
    * `decayed_through`: the last date whose ticks a decay run reported as applied.
    * `erased`: the leads whose erasure was asked for, with the number of their entries; written before the call.
    * `parked`, `discarded`: the ids of events and changes that are expected to be in this state.
    * `acknowledged_at`: when an event was first acknowledged, by the machine's clock.
    * `bystanders`, `health`, `backlogs`: how long others waited during a fault, and what the services reported.
    """

    sent: dict[str, ingest_pb2.Event] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    wrongly_accepted: list[str] = field(default_factory=list)
    shown: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    decayed_through: str = ""
    calls: list[FinishedCall] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    erased: dict[str, int] = field(default_factory=dict)
    parked: set[str] = field(default_factory=set)
    discarded: set[str] = field(default_factory=set)
    acknowledged_at: dict[str, datetime] = field(default_factory=dict)
    bystanders: list[Bystander] = field(default_factory=list)
    health: list[Health] = field(default_factory=list)
    backlogs: list[Backlog] = field(default_factory=list)
