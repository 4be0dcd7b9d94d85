"""Who watches which changes of leads."""

import random
from dataclasses import dataclass
from datetime import datetime

RETRY_SECONDS = 10.0
"""When callers that were refused a watch shall come back, on average: watches last."""


class WatcherTooSlow(Exception):
    """A watcher reads more slowly than changes come."""

    def __init__(self) -> None:
        super().__init__("changes come faster than they are read: watch again with the last token, and read faster")


class TooManyWatchers(Exception):
    """There are as many watchers as a process takes.

    `retry_seconds` is when the caller shall come back; those who are refused together shall not come back together.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} callers watch already: end a call, or watch through another process")
        self.retry_seconds = RETRY_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 (it spreads, and guards nothing)


class ResumeTokenExpired(Exception):
    """The database no longer knows what came after a token."""

    def __init__(self) -> None:
        super().__init__("what came after the token is no longer known: watch from now on, and read the leads anew")


@dataclass(frozen=True, slots=True)
class LeadChange:
    """What one committed transaction did to a lead's score. `event_types` is empty when no event was scored."""

    lead_id: str
    sequence: int
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    event_types: tuple[str, ...]
    record_time: datetime


@dataclass(frozen=True, slots=True)
class Interest:
    """Which changes a watcher wants; an empty set and None stand for all."""

    stages: frozenset[str] = frozenset()
    minimum_score: int | None = None
    lead_ids: frozenset[str] = frozenset()

    def wants(self, change: LeadChange) -> bool:
        """Tells whether a change is one of them."""
        return (
            (not self.stages or change.stage_after in self.stages)
            and (self.minimum_score is None or change.score_after >= self.minimum_score)
            and (not self.lead_ids or change.lead_id in self.lead_ids)
        )
