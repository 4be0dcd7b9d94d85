"""What the use cases need from the outside: databases, receivers, and other services."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from automation_service.domain.action import Action
from automation_service.domain.delivery import Answer, Delivery, ExecutionState
from automation_service.domain.execution import Execution, Firings, Key
from automation_service.domain.feasibility import Model
from automation_service.domain.hold import Hold
from automation_service.domain.inactivity import InactiveLead, Search
from automation_service.domain.lead import Change, Insight, Row
from automation_service.domain.need import Need
from automation_service.domain.rule import Rule
from shared.rpc.pagination import Cursor

T = TypeVar("T")
Clock = Callable[[], datetime]
"""Returns the current time: aware, in UTC."""


class Source(Protocol):
    """Where changes to evaluate come from."""

    async def still_pending(self, rows: Collection[Row]) -> set[Row]:
        """Returns those of the rows that are still pending."""

    async def mark(self, rows: Collection[Row]) -> None:
        """Marks rows as done. Call it in the last transaction that records the executions of their changes."""

    async def skip(self, rows: Collection[Row]) -> None:
        """Marks those of the rows that are still pending as done, in one write outside of a transaction."""


class PendingRows(list[Row]):
    """Rows that were found, and the number of changes in them.

    `is_full` means that a limit was reached, so more may be pending.
    """

    changes = 0
    is_full = False


class PendingChanges(list[Change]):
    """Changes that were read. `is_full` means that there was no room for all of them."""

    is_full = False


class Changes(Source, Protocol):
    """The inbox of lead changes that have not been evaluated yet."""

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` in a transaction. After a conflict it runs again from the start."""

    async def pending(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> PendingRows:
        """Returns the oldest pending rows of the partitions, without reading their changes.

        The last row is the one that reaches `limit` changes. With `ids`, only these rows are returned; without, rows
        that have failed in isolation are left out.
        """

    async def read(self, rows: Sequence[Row]) -> PendingChanges:
        """Returns the changes in those of the rows that are still pending, ordered by lead and sequence.

        It reads the first rows, as many as a bound of bytes allows, and at least one.
        """

    async def lock(self, lead_ids: Collection[str]) -> None:
        """Makes this transaction conflict with every other one that locks one of the leads.

        It is needed when the decision depends on executions of other dates: two such transactions write no common row
        otherwise.
        """


class Rules(Protocol):
    """The stored rules."""

    async def create(self, rule: Rule) -> None:
        """Stores a new rule.

        Raises:
            RuleExists: A rule with this id exists.
        """

    async def get(self, rule_id: str) -> Rule:
        """Returns a rule.

        Raises:
            RuleNotFound: No rule has this id.
        """

    async def page(self, after: Cursor, limit: int) -> list[Rule]:
        """Returns up to `limit` rules whose ids follow the cursor, ordered by id."""

    async def enabled(self, rule_ids: Collection[str] | None = None) -> list[Rule]:
        """Returns the enabled rules, or those among `rule_ids`."""

    async def replace(self, rule: Rule, revision: int) -> bool:
        """Replaces the rule with the same id if it has this revision; returns False if it does not.

        If the new rule is disabled, its pending deliveries are cancelled afterwards, as many as the deadline allows.
        Claimed deliveries and the rest are cancelled by `DeliveryAttempt` when it claims them.
        """

    async def delete(self, rule_id: str) -> None:
        """Deletes a rule, then cancels its pending deliveries as `replace` does.

        Raises:
            RuleNotFound: No rule has this id.
        """


@dataclass(frozen=True, slots=True)
class ExecutionQuery:
    """A filter for executions. An empty text and None match everything.

    `from_time` is inclusive, `until_time` exclusive. `after` is the cursor: record time and id of the last execution
    on the previous page.
    """

    limit: int
    lead_id: str = ""
    rule_id: str = ""
    date_bucket: str = ""
    state: ExecutionState | None = None
    from_time: datetime | None = None
    until_time: datetime | None = None
    after: Cursor = ()


class Executions(Protocol):
    """The recorded executions, at most one per key."""

    async def recorded(self, keys: Collection[Key]) -> set[Key]:
        """Returns the keys that already have an execution."""

    async def last_firings(self, pairs: Collection[tuple[str, str]]) -> Firings:
        """Returns the latest firing, by date, of each pair of a lead and a rule. Pairs that never fired are absent."""

    async def record(self, executions: Sequence[Execution]) -> None:
        """Stores new executions. Call it in the transaction in which `recorded` found their keys free."""

    async def get(self, execution_id: str) -> Execution:
        """Returns an execution.

        Raises:
            ExecutionNotFound: No execution has this id.
        """

    async def page(self, query: ExecutionQuery) -> list[Execution]:
        """Returns the executions that match, latest first."""

    async def revive(self, before: Execution, after: Execution) -> bool:
        """Replaces the deliveries of `before` with those of `after`; returns False if they have changed meanwhile."""


class Due(NamedTuple):
    """A delivery that is due, and its endpoint."""

    delivery_id: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The exclusive right to make one attempt at a delivery, until its `due_time`, in the trace of its execution."""

    rule_id: str
    delivery: Delivery
    traceparent: str = ""


class Settlement(NamedTuple):
    """A claim, and the delivery as it is after the attempt."""

    claim: Claim
    delivery: Delivery


class Deliveries(Protocol):
    """The deliveries of all executions."""

    async def due(self, now: datetime, busy: Collection[str], limit: int) -> list[Due]:
        """Returns the due deliveries of up to `limit` executions, except those of `busy` endpoints.

        Deliveries of one endpoint are returned oldest first.
        """

    async def claim(self, due: Collection[Due], now: datetime, until: datetime) -> list[Claim]:
        """Claims the deliveries that are still due, and returns the claims.

        Nobody else can claim them before `until`. After that they are due again, because the worker that claimed them
        is presumed dead.
        """

    async def repair_due_times(self, now: datetime, latest: datetime) -> None:
        """Makes deliveries due now that are claimed or were never attempted, and are due later than `latest`."""

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[None]:
        """Stores the results of attempts and the new states of their executions. Lapsed claims change nothing."""


class DeliveryQueue(Protocol):
    """Starts deliveries right after they are recorded, without a query for what is due."""

    def admit(self, executions: Sequence[Execution]) -> list[Execution]:
        """Returns the executions with as many deliveries claimed as there is capacity for. Starts nothing."""

    def begin(self, executions: Sequence[Execution]) -> None:
        """Starts the admitted deliveries, and looks for the others soon. Call it after the commit."""


class HoldSwitch(Protocol):
    """The hold on deliveries, which lasts until someone ends it, whatever is restarted."""

    async def read(self) -> Hold | None:
        """Returns the hold in force; None if there is none."""

    async def begin(self, hold: Hold) -> Hold:
        """Begins a hold, unless one is in force; returns the one in force."""

    async def end(self) -> None:
        """Ends the hold. It has no effect if there is none."""

    async def cancel(self, recorded_before: datetime, now: datetime) -> int:
        """Cancels the pending deliveries of some executions that were recorded before a time, and returns how many.

        Returns 0 when none are left. Skips deliveries that an attempt has claimed.
        """


class Receivers(Protocol):
    """The webhooks, chats and mailboxes that actions deliver to."""

    async def check(self, field: str, action: Action) -> list[str]:
        """Checks that the receiver of an action can be reached, as far as possible without sending anything.

        `field` is the receiver's path in the rule. Returns warnings, one sentence each.

        Raises:
            InvalidRule: The host has a forbidden address, or e-mail is not configured.
        """

    async def send(self, action: Action, delivery: Delivery) -> Answer:
        """Makes one attempt in bounded time. Every failure is returned as an answer."""


@dataclass(frozen=True, slots=True)
class InactivePage:
    """Leads that have had no event for some time, and the token of the next page, empty on the last one.

    `decay_date` is the date of the last daily run, YYYY-MM-DD; empty before the first.
    """

    leads: Sequence[InactiveLead]
    next_token: str
    decay_date: str


class InactiveLeads(Protocol):
    """The leads that have had no event for some time; those whose last event is historical are left out."""

    async def page(self, since: datetime, token: str, limit: int) -> InactivePage:
        """Returns one page of the leads that have had no event since a time."""


class Searches(Protocol):
    """The progress of the search for inactive leads that follows each daily run."""

    async def last(self) -> Search | None:
        """Returns the last search that was begun."""

    async def put(self, search: Search, before: Search | None) -> None:
        """Stores a search in the place of `before`, unless another worker has stored something else meanwhile."""


class Models(Protocol):
    """The scoring models."""

    async def in_force(self) -> Model:
        """Returns the model that is in force."""


class Insights(Protocol):
    """What the scores of leads mean at this moment."""

    async def of(self, lead_ids: Collection[str], need: Need) -> Mapping[str, Insight]:
        """Returns the insights for any number of leads. Leads without a score are absent.

        The insights hold what `need` names; other fields may be empty.

        Raises:
            WorkTooLarge: The answer does not arrive in time, although smaller requests are answered.
        """
