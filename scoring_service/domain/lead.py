"""A lead as stored, and an update of it."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from scoring_service.domain.entry import Entry
from scoring_service.domain.lead_state import EMPTY, LeadState
from scoring_service.domain.model import Event


class Lead(NamedTuple):
    """A lead as stored: its state, the sequence of its last entry (0 if new), and the publication its state follows."""

    lead_id: str
    sequence: int = 0
    state: LeadState = EMPTY
    publication: int = 0


class Decision(NamedTuple):
    """The reason for a manual change, and who made it."""

    reason: str = ""
    actor: str = ""


class Standing(NamedTuple):
    """The date through which a partition is decayed, and the publication that it follows.

    `reset` says who last set the date back, and why; it is empty if nobody did.
    """

    through: date | None
    publication: int
    reset: Decision = Decision()


class PathPoint(NamedTuple):
    """A score that the lead had, and its stage."""

    score: int
    stage: str


class Transition(NamedTuple):
    """What a fact, a run of ticks, a publication or a correction did to a lead.

    `path` lists the scores from before it to after it. `events` are the events that did it: one, or late events that
    were merged together; none if something else did it.
    """

    path: Sequence[PathPoint]
    events: Sequence[Event] = ()


class LeadUpdate(NamedTuple):
    """An update of a lead: its states before and after, the entries between them, and new checkpoints.

    `path` lists the scores in between, with the first and the last; late events and their recalculation are one step.
    `transitions` are the parts of it for which automations may fire. `checkpoints` replace all stored ones with more
    than `checkpoints_from` facts.
    """

    before: Lead
    after: Lead
    entries: Sequence[Entry]
    path: Sequence[PathPoint]
    transitions: Sequence[Transition] = ()
    checkpoints: Sequence[LeadState] = ()
    checkpoints_from: int = 0
