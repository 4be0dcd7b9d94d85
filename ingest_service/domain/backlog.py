"""How far scoring may lag behind what is taken in."""

import random
from datetime import timedelta

RETRY_SECONDS = 2.0
"""When refused callers shall come back, on average."""


class BacklogTooOld(Exception):
    """Events have waited too long to be scored, so no more are taken until scoring has caught up.

    `retry_seconds` is when the caller shall come back; those who are refused together shall not come back together.
    """

    def __init__(self, age: timedelta, limit: timedelta) -> None:
        super().__init__(
            f"the oldest event has waited to be scored for {age.total_seconds():.0f} s, more than "
            f"{limit.total_seconds():g} s: start scoring workers, and send this again with the same event_id"
        )
        self.retry_seconds = RETRY_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 (it spreads, and guards nothing)
