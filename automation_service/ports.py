"""What the use cases need of the world."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from automation_service.domain.action import Action
from automation_service.domain.delivery import Answer, Delivery, ExecutionState
from automation_service.domain.execution import Execution, Firings, Key
from automation_service.domain.feasibility import Model
from automation_service.domain.lead import Change, Insight
from automation_service.domain.need import Need
from automation_service.domain.rule import Rule
from shared.inbox.breaker import StoppedDrain
from shared.rpc.pagination import Place

T = TypeVar("T")


class Changes(Protocol):
    """The changes of leads that wait to be evaluated."""

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` as one transaction, again from its start on a conflict."""

    async def pending(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> list[Change]:
        """Returns the oldest changes that wait in some partitions, each lead's in the order of their sequence.

        They are those among `ids`, or all that never failed alone.
        """

    async def still_pending(self, changes: Sequence[Change]) -> list[Change]:
        """Returns those of the changes that nobody has marked since they were read, in the order given."""

    async def take(self, lead_ids: Collection[str]) -> None:
        """Takes leads for this transaction: of two that take one lead, only one commits unless it has seen the other.

        What is decided by executions of other dates needs it, for nothing else that is written is the same.
        """

    async def mark(self, changes: Sequence[Change]) -> None:
        """Marks changes as done."""


class Rules(Protocol):
    """Keeps rules by their id."""

    async def create(self, rule: Rule) -> None:
        """Stores a new rule.

        Raises:
            RuleExists: There is one with this id.
        """

    async def get(self, rule_id: str) -> Rule:
        """Returns a rule.

        Raises:
            RuleNotFound: There is none with this id.
        """

    async def page(self, after: Place, limit: int) -> list[Rule]:
        """Returns the rules whose ids follow a place, by id."""

    async def enabled(self, rule_ids: Collection[str] | None = None) -> list[Rule]:
        """Returns all enabled rules, or those with some ids."""

    async def replace(self, rule: Rule, revision: int) -> bool:
        """Stores a rule in the place of the one with its id and this revision; tells whether there was one.

        If it is disabled its pending deliveries are cancelled after that, but for those that are claimed, and as far as
        there is time: whoever claims one of such a rule cancels it.
        """

    async def delete(self, rule_id: str) -> None:
        """Deletes a rule, and cancels its pending deliveries after that as `replace` does.

        Raises:
            RuleNotFound: There is none with this id.
        """


@dataclass(frozen=True, slots=True)
class ExecutionQuery:
    """Which executions to list; the empty text and None stand for all.

    `from_time` is inclusive, `until_time` exclusive. `after` is the place of the last one of the page before: its
    record time and its id.
    """

    limit: int
    lead_id: str = ""
    rule_id: str = ""
    date_bucket: str = ""
    state: ExecutionState | None = None
    from_time: datetime | None = None
    until_time: datetime | None = None
    after: Place = ()


class Executions(Protocol):
    """Keeps executions, one per key."""

    async def recorded(self, keys: Collection[Key]) -> set[Key]:
        """Returns those of the keys under which an execution is recorded."""

    async def last_firings(self, pairs: Collection[tuple[str, str]]) -> Firings:
        """Returns when rules last fired for leads, for those pairs of a lead and a rule that have an execution.

        That is the execution of the latest date.
        """

    async def record(self, executions: Sequence[Execution]) -> None:
        """Stores executions whose keys are free; to be called in the transaction that found them free."""

    async def get(self, execution_id: str) -> Execution:
        """Returns an execution.

        Raises:
            ExecutionNotFound: There is none with this id.
        """

    async def page(self, query: ExecutionQuery) -> list[Execution]:
        """Returns executions, latest first."""

    async def revive(self, before: Execution, after: Execution) -> bool:
        """Stores the deliveries of `after` if those of `before` are still the stored ones; tells whether they were."""


class Due(NamedTuple):
    """A delivery that is due, and where to."""

    delivery_id: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make one attempt at a delivery, until its `due_time`."""

    rule_id: str
    delivery: Delivery


class Settlement(NamedTuple):
    """What became of a claimed delivery."""

    claim: Claim
    delivery: Delivery


class Deliveries(Protocol):
    """The deliveries that are due, over all executions."""

    async def due(self, now: datetime, busy: Collection[str], limit: int) -> list[Due]:
        """Returns those of at most `limit` executions that are due at endpoints that are not busy.

        At one endpoint those come first that have been due for longest.
        """

    async def claim(self, due: Collection[Due], now: datetime, until: datetime) -> list[Claim]:
        """Claims those of some deliveries that are still due.

        Nobody else gets them before `until`. Then they are due again: whoever claimed them is taken for dead.
        """

    async def repair_due_times(self, now: datetime, farthest: datetime) -> None:
        """Makes due what is claimed, or was never attempted, and is due later than `farthest` only."""

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[None]:
        """Stores what became of claimed deliveries, and the states of their executions with it.

        Where the claim holds no longer nothing is stored.
        """


@dataclass(frozen=True, slots=True)
class DueDeliveries:
    """How many deliveries are due, and since when the oldest of them is; None when there is none."""

    count: int
    oldest: datetime | None


class Backlogs(Protocol):
    """How much waits in this service."""

    async def pending_changes(self) -> int:
        """Returns the number of changes that wait to be evaluated."""

    async def oldest_changes(self) -> Mapping[int, datetime]:
        """Returns when the oldest change that waits was accepted, for each partition in which one waits."""

    async def parked_changes(self) -> int:
        """Returns the number of parked changes."""

    async def stopped(self) -> StoppedDrain | None:
        """Returns why the drain has stopped, if it has."""

    async def due_deliveries(self, now: datetime, limit: int) -> DueDeliveries:
        """Returns the deliveries that are due and that nobody attempts, of at most `limit` executions."""

    async def failed_executions(self, limit: int) -> int:
        """Returns the number of executions of which something could not be delivered, at most `limit`."""


class DeliveryQueue(Protocol):
    """Where deliveries leave at once, without being looked for."""

    def admit(self, executions: Sequence[Execution]) -> list[Execution]:
        """Returns executions to be recorded, with those deliveries claimed for which there is room; nothing begins."""

    def begin(self, executions: Sequence[Execution]) -> None:
        """Makes attempts at what was admitted, and looks for the rest soon; to be called once all is recorded."""


class Receivers(Protocol):
    """Those whom rules tell."""

    async def check(self, field: str, action: Action) -> list[str]:
        """Looks whether an action can reach its receiver, as far as that can be told without sending.

        `field` is the receiver's path in the rule. Returns sentences about what may be wrong.

        Raises:
            InvalidRule: It cannot: its host has an address that is refused, or e-mail is not set up.
        """

    async def send(self, action: Action, delivery: Delivery) -> Answer:
        """Makes one attempt, in bounded time; whatever goes wrong is an answer, too."""


class Templates(Protocol):
    """The language of templates."""

    def check(self, field: str, template: str) -> None:
        """Checks a template; `field` is its path.

        Raises:
            InvalidRule: It is malformed, or says what templates may not.
        """

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        """Fills a checked template with values; a name without a value becomes nothing.

        Raises:
            Unrenderable: A value does not go with what the template does to it.
        """

    def attributes(self, template: str) -> frozenset[str] | None:
        """Returns the names of the lead's attributes that a template uses; None when it may use any of them."""


class Models(Protocol):
    """Knows the scoring model in force."""

    async def in_force(self) -> Model:
        """Returns it."""


class Insights(Protocol):
    """Knows what leads' scores mean now."""

    async def of(self, lead_ids: Collection[str], need: Need) -> Mapping[str, Insight]:
        """Returns the insights into any number of leads; those that have no score are left out.

        They hold what is needed, and may hold less than there is of all else.

        Raises:
            WorkTooLarge: The answer does not come in time, although smaller questions are answered.
        """
