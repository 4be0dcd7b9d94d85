"""What the use cases need of the world."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from automation_service.domain.execution import Change, Execution, Insight, Key
from automation_service.domain.rule import Rule
from shared.pages import Place

T = TypeVar("T")


class Changes(Protocol):
    """The changes of leads that wait to be evaluated."""

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` as one transaction, again from its start on a conflict."""

    async def pending(self, partitions: Sequence[int], most: int) -> list[Change]:
        """Returns the oldest changes that wait in some partitions, each lead's in the order of their sequence."""

    async def still_pending(self, changes: Sequence[Change]) -> list[Change]:
        """Returns those of the changes that nobody has marked since they were read, in the order given."""

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

    async def page(self, after: Place, most: int) -> list[Rule]:
        """Returns the rules whose ids follow a place, by id."""

    async def enabled(self) -> list[Rule]:
        """Returns all enabled rules."""

    async def replace(self, rule: Rule, revision: int) -> bool:
        """Stores a rule in the place of the one with its id and this revision; tells whether there was one."""

    async def delete(self, rule_id: str) -> None:
        """Deletes a rule.

        Raises:
            RuleNotFound: There is none with this id.
        """


@dataclass(frozen=True, slots=True)
class ExecutionQuery:
    """Which executions to list; the empty text stands for all.

    `after` is the place of the last one of the page before: its record time and its id.
    """

    most: int
    lead_id: str = ""
    rule_id: str = ""
    date_bucket: str = ""
    after: Place = ()


class Executions(Protocol):
    """Keeps executions, one per key."""

    async def recorded(self, keys: Collection[Key]) -> set[Key]:
        """Returns those of the keys under which an execution is recorded."""

    async def record(self, executions: Sequence[Execution]) -> None:
        """Stores executions whose keys are free; to be called in the transaction that found them free."""

    async def page(self, query: ExecutionQuery) -> list[Execution]:
        """Returns executions, latest first."""


class Stages(Protocol):
    """Knows the stages of the scoring model in force."""

    async def names(self) -> Sequence[str]:
        """Returns their names, in ascending order."""


class Insights(Protocol):
    """Knows what leads' scores mean now."""

    async def of(self, lead_ids: Collection[str]) -> Mapping[str, Insight]:
        """Returns the insights into any number of leads; those that have no score are left out."""
