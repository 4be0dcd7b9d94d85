"""A lead as it is stored, and what is to be stored of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from scoring_service.domain.entry import Entry
from scoring_service.domain.lead_state import EMPTY, LeadState


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead as stored: its state, its last entry's sequence (0 if new), and the publication that its state follows."""

    lead_id: str
    sequence: int = 0
    state: LeadState = EMPTY
    publication: int = 0


class Decision(NamedTuple):
    """Why people changed something, and who did."""

    reason: str = ""
    actor: str = ""


class Standing(NamedTuple):
    """Where a partition stands: the date through which it is decayed, and the last publication that it follows.

    `reset` says why the date was set back, if it was.
    """

    through: date | None
    publication: int
    reset: Decision = Decision()


class PathPoint(NamedTuple):
    """A score that the lead had, and its stage."""

    score: int
    stage: str


@dataclass(frozen=True, slots=True)
class LeadUpdate:
    """What is to be stored of a lead: the entries between two states, and the states to keep as checkpoints.

    `path` are the scores that the lead had on the way, the first and the last included; late events and what changes
    because of them count as one step. `checkpoints` replace all stored ones that have more than `checkpoints_from`
    facts.
    """

    before: Lead
    after: Lead
    entries: Sequence[Entry]
    path: Sequence[PathPoint]
    checkpoints: Sequence[LeadState] = ()
    checkpoints_from: int = 0
