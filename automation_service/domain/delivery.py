"""A delivery to one receiver, and its state after each attempt. Time and jitter are arguments."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import NamedTuple

MAX_ATTEMPTS = 20
"""The number of attempts that are kept per delivery, the latest ones."""
ANSWER_BYTES = 1024
"""The number of bytes that are kept of a response."""
LONGEST_WAIT = timedelta(days=1)
"""The longest wait that a receiver can ask for."""
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The due time of a delivery that is not pending."""


class ExecutionState(StrEnum):
    """The state of an execution or a delivery. RECORDED is the state of an execution without deliveries."""

    RECORDED = "recorded"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Fate(Enum):
    """The outcome of an attempt.

    It arrived; retry it; retry it, but its receiver is not to blame; the receiver refused it, so retry it by the
    schedule for refusals; do not retry it; or disable the rule (410 Gone).
    """

    ARRIVED = "arrived"
    RETRY = "retry"
    UNSENT = "unsent"
    REFUSED = "refused"
    FINAL = "final"
    GONE = "gone"


class Schedule(NamedTuple):
    """The waits after the first, second … attempt that failed, and after the first, second … that was refused."""

    failed: Sequence[timedelta] = ()
    refused: Sequence[timedelta] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a receiver: its HTTP status or SMTP code (0 if there was none), and the beginning of its text.

    `error` says why there was no answer. `retry_after` is the wait that the receiver asked for.
    """

    fate: Fate
    status: int = 0
    text: str = ""
    error: str = ""
    retry_after: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a delivery."""

    attempt_time: datetime
    duration: timedelta
    status: int
    error: str
    answer: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to the receiver of one action. Its id and body are the same at every attempt.

    `due_time` is when the next attempt may begin. While `lease` holds a token, an attempt is in progress, and it is
    presumed lost at `due_time`. `tries` counts the attempts since the schedule started, and `refusals` those among them
    that the receiver refused.
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
    refusals: int = 0
    attempts: tuple[Attempt, ...] = ()
    lease: str = ""

    def settled(
        self, answer: Answer, began: datetime, took: timedelta, schedule: Schedule, jitter: float
    ) -> "Delivery":
        """Returns the delivery after an attempt.

        After its n-th failed attempt it waits for the n-th duration of the schedule times `jitter`, or for as long as
        the receiver asked if that is longer. Refused attempts are counted separately and have a schedule of their
        own. When the schedule has no duration left, the delivery has failed.
        """
        attempt = Attempt(began, took, answer.status, answer.error, answer.text)
        after = replace(
            self,
            attempts=(*self.attempts, attempt)[-MAX_ATTEMPTS:],
            tries=self.tries + 1,
            refusals=self.refusals + (answer.fate is Fate.REFUSED),
            lease="",
        )
        if answer.fate is Fate.ARRIVED:
            return replace(after, state=ExecutionState.DELIVERED, due_time=NEVER)
        waits = self._waits_left(answer.fate, schedule)
        if not waits:
            return replace(after, state=ExecutionState.FAILED, due_time=NEVER)
        return replace(after, due_time=began + took + max(waits[0] * jitter, min(answer.retry_after, LONGEST_WAIT)))

    def _waits_left(self, fate: Fate, schedule: Schedule) -> Sequence[timedelta]:
        match fate:
            case Fate.RETRY | Fate.UNSENT:
                return schedule.failed[self.tries - self.refusals :]
            case Fate.REFUSED:
                return schedule.refused[self.refusals :]
            case _:
                return ()

    def claimed(self, lease: str, until: datetime) -> "Delivery":
        """Returns the delivery, claimed for an attempt."""
        return replace(self, lease=lease, due_time=until)

    def cancelled(self) -> "Delivery":
        """Returns the delivery, cancelled."""
        return replace(self, state=ExecutionState.CANCELLED, due_time=NEVER, lease="")

    def retried(self, now: datetime) -> "Delivery":
        """Returns the delivery, due now and with its schedule restarted.

        A delivery is returned unchanged if it has arrived, is being attempted, or has no body because its template
        could not be rendered.
        """
        if self.state is ExecutionState.DELIVERED or not self.body or (self.lease and self.due_time > now):
            return self
        return replace(self, state=ExecutionState.PENDING, due_time=now, tries=0, refusals=0, lease="")


def state_of(deliveries: Sequence[Delivery]) -> ExecutionState:
    """Returns the state of an execution with these deliveries."""
    states = {delivery.state for delivery in deliveries}
    for state in (ExecutionState.PENDING, ExecutionState.FAILED, ExecutionState.CANCELLED, ExecutionState.DELIVERED):
        if state in states:
            return state
    return ExecutionState.RECORDED


def fate_of_status(status: int) -> Fate:
    """Returns the outcome for an HTTP status: 2xx arrived, 408, 425, 429 and 5xx retry, 410 gone, others refused."""
    if 200 <= status < 300:
        return Fate.ARRIVED
    if status == 410:
        return Fate.GONE
    return Fate.RETRY if status in (408, 425, 429) or status >= 500 else Fate.REFUSED


def fate_of_reply(code: int) -> Fate:
    """Returns the outcome for an SMTP reply code (RFC 5321, 4.2.1): 2yz arrived, 5yz final, anything else retry."""
    return Fate.ARRIVED if 200 <= code < 300 else Fate.FINAL if code >= 500 else Fate.RETRY
