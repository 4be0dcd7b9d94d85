"""What became of the records of a request."""

from collections.abc import Sequence
from typing import NamedTuple

EVENT_INVALID = "EVENT_INVALID"
"""The reason for a record that no event can be made of, as the ingest service calls it."""


class Rejection(NamedTuple):
    """Why a record was refused for good: where it was in the body, a reason of the ingest service, and a sentence."""

    path: str
    reason: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}" if self.path else self.sentence


class Deferral(NamedTuple):
    """Why events were refused for now: a reason of the ingest service, a sentence, and the seconds to wait."""

    reason: str
    sentence: str
    seconds: float


class Report(NamedTuple):
    """What became of the records of a request.

    `accepted` and `duplicate` count events, `ignored` the records that the mapping makes no event of. `deferral` is the
    longest one of those events that are to be sent again; None if there are none.
    """

    accepted: int = 0
    duplicate: int = 0
    ignored: int = 0
    rejections: Sequence[Rejection] = ()
    deferral: Deferral | None = None

    @property
    def was_sent(self) -> bool:
        """Whether the ingest service has stored or deferred an event, and so has accepted the key of the sender."""
        return bool(self.accepted or self.duplicate or self.deferral)
