"""What is told to one receiver, and what becomes of each attempt. Time and chance come in as arguments."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum

MAX_ATTEMPTS = 20
"""Attempts that are kept of a delivery, the latest."""
ANSWER_BYTES = 1024
"""Bytes of an answer that are kept."""
LONGEST_WAIT = timedelta(days=1)
"""However long a receiver asks us to wait."""
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a delivery is due that is no longer pending."""


class ExecutionState(StrEnum):
    """How far an execution or a delivery has come; a delivery is never RECORDED."""

    RECORDED = "recorded"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Fate(Enum):
    """What an attempt means: it arrived, it is worth another try, it is not, or the receiver wants no more."""

    ARRIVED = "arrived"
    RETRY = "retry"
    FINAL = "final"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered: an HTTP status or an SMTP code (0 for none), and the first bytes of the text.

    `error` tells why there was none, `retry_after` how long the receiver asks us to wait.
    """

    fate: Fate
    status: int = 0
    text: str = ""
    error: str = ""
    retry_after: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver."""

    attempt_time: datetime
    duration: timedelta
    status: int
    error: str
    answer: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is told to the receiver of one action; id and body are the same at every attempt.

    `due_time` is when the next attempt may begin; while `lease` holds a token, one is being made, and is given up for
    lost then. `tries` counts the attempts since the schedule began.
    """

    delivery_id: str
    action_id: str
    receiver: str
    endpoint: str
    body: bytes = field(repr=False)
    recipients: tuple[str, ...] = ()
    state: ExecutionState = ExecutionState.PENDING
    due_time: datetime = NEVER
    tries: int = 0
    attempts: tuple[Attempt, ...] = ()
    lease: str = ""

    def settled(
        self, answer: Answer, began: datetime, took: timedelta, schedule: Sequence[timedelta], jitter: float
    ) -> "Delivery":
        """Returns the delivery after an attempt.

        After its n-th attempt it waits for the n-th span of the schedule, times `jitter`, or for as long as the
        receiver asked if that is longer; when there is no n-th span it has failed.
        """
        attempt = Attempt(began, took, answer.status, answer.error, answer.text)
        after = replace(self, attempts=(*self.attempts, attempt)[-MAX_ATTEMPTS:], tries=self.tries + 1, lease="")
        if answer.fate is Fate.ARRIVED:
            return replace(after, state=ExecutionState.DELIVERED, due_time=NEVER)
        if answer.fate is not Fate.RETRY or self.tries >= len(schedule):
            return replace(after, state=ExecutionState.FAILED, due_time=NEVER)
        wait = max(schedule[self.tries] * jitter, min(answer.retry_after, LONGEST_WAIT))
        return replace(after, due_time=began + took + wait)

    def claimed(self, lease: str, until: datetime) -> "Delivery":
        """Returns the delivery with an attempt under way."""
        return replace(self, lease=lease, due_time=until)

    def cancelled(self) -> "Delivery":
        """Returns the delivery given up."""
        return replace(self, state=ExecutionState.CANCELLED, due_time=NEVER, lease="")

    def retried(self, now: datetime) -> "Delivery":
        """Returns the delivery due at once, with its schedule begun anew; unchanged when that is not for us to say.

        A delivered one is done, one that is being attempted will be known soon, and one without a body, whose template
        did not go with the lead, has nothing to tell.
        """
        if self.state is ExecutionState.DELIVERED or not self.body or (self.lease and self.due_time > now):
            return self
        return replace(self, state=ExecutionState.PENDING, due_time=now, tries=0, lease="")


def state_of(deliveries: Sequence[Delivery]) -> ExecutionState:
    """Returns the state of an execution with these deliveries."""
    states = {delivery.state for delivery in deliveries}
    for state in (ExecutionState.PENDING, ExecutionState.FAILED, ExecutionState.CANCELLED, ExecutionState.DELIVERED):
        if state in states:
            return state
    return ExecutionState.RECORDED


def fate_of_status(status: int) -> Fate:
    """Returns what an HTTP status means: 2xx arrived, 429 and 5xx are worth a try, 410 is an end, all else is final."""
    if 200 <= status < 300:
        return Fate.ARRIVED
    if status == 410:
        return Fate.GONE
    return Fate.RETRY if status == 429 or status >= 500 else Fate.FINAL


def fate_of_reply(code: int) -> Fate:
    """Returns what an SMTP reply code means (RFC 5321, 4.2.1): 2yz arrived, 5yz is final, all else worth a try."""
    return Fate.ARRIVED if 200 <= code < 300 else Fate.FINAL if code >= 500 else Fate.RETRY
