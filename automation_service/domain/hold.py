"""A hold: nothing is delivered until someone releases it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing is delivered, since when, and who decided it."""

    hold_time: datetime
    reason: str
    actor: str
