"""An erasure, and why one is refused."""

from dataclasses import dataclass
from datetime import datetime


class NothingKnown(Exception):
    """Nothing is stored about the lead. The message does not name the lead."""

    def __init__(self) -> None:
        super().__init__("nothing is stored about this lead; check the id")


class ErasureConflict(Exception):
    """The request id was used for the erasure of another lead."""

    field = "request_id"

    def __init__(self) -> None:
        super().__init__("request_id: was already used to erase another lead; nothing was erased")


class OtherKey(Exception):
    """A list of erasures was saved from a database with another key, so its digests fit no lead of this one."""

    def __init__(self) -> None:
        super().__init__("the list was saved from another database: its digests were made with another key")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows an erasure has changed or removed."""

    entries: int = 0
    events: int = 0
    executions: int = 0

    def __add__(self, more: "Counts") -> "Counts":
        return Counts(self.entries + more.entries, self.events + more.events, self.executions + more.executions)

    def __bool__(self) -> bool:
        return bool(self.entries or self.events or self.executions)


NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Erasure:
    """The record of an erasure. `request` and `lead` are digests of ids, and `pseudonyms` took the lead's place.

    `is_done` says that no event can arrive any more that was accepted before the servers knew of the erasure.
    """

    request: bytes
    lead: bytes
    pseudonyms: tuple[str, ...]
    time: datetime
    actor: str
    is_done: bool = False
    counts: Counts = NOTHING
