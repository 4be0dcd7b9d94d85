"""Which changes a watcher wants, and why a watch can end."""

import random
from dataclasses import dataclass
from datetime import datetime

RETRY_SECONDS = 10.0
"""How long a refused caller should wait before it retries, on average; long, because watches last long."""


class WatcherTooSlow(Exception):
    """A watcher reads more slowly than changes arrive."""

    def __init__(self) -> None:
        super().__init__("the watcher reads too slowly: resume with the last token, and read faster")


class TooManyWatchers(Exception):
    """This process already has the maximum number of watchers.

    `retry_seconds` is how long the caller should wait. It is random, so that callers refused at the same time do not
    all retry at the same time.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"this process already has {limit} watchers: end one, or connect to another process")
        self.retry_seconds = RETRY_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 (jitter, not a secret)


class ResumeTokenExpired(Exception):
    """The database no longer has the changes after a token."""

    def __init__(self) -> None:
        super().__init__("the changes after the token have expired: read the leads again, and watch without a token")


@dataclass(frozen=True, slots=True)
class LeadChange:
    """The effect of one committed transaction on a lead's score; `event_types` is empty if it scored no event."""

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
    """Which changes a watcher wants; an empty set or None matches every change."""

    stages: frozenset[str] = frozenset()
    minimum_score: int | None = None
    lead_ids: frozenset[str] = frozenset()

    def wants(self, change: LeadChange) -> bool:
        """Returns whether the watcher wants a change."""
        return (
            (not self.stages or change.stage_after in self.stages)
            and (self.minimum_score is None or change.score_after >= self.minimum_score)
            and (not self.lead_ids or change.lead_id in self.lead_ids)
        )
