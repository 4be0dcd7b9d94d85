"""Poison: events and changes that no worker can process while a file exists.

Scoring an event of the type `raises` fails, reading one of the type `kills` ends the worker, and evaluating changes of
a lead whose id ends in `cursed` fails. Only armed services are affected.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from automation_service.domain.execution import Candidate, fire
from automation_service.usecases import evaluation
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Timeline
from scoring_service.store import documents
from shared.mongo import Document

FILE = "POISON_FILE"
STATUS = 9
"""The exit status of a worker that read an event of the type `kills`."""
RAISES, KILLS, CURSED = "raises", "kills", "cursed"


def arm(environment: Mapping[str, str]) -> None:
    """Makes poison affect this process while the file that the environment names exists, if it names one."""
    if FILE not in environment:
        return
    is_on = Path(environment[FILE]).exists
    read_event: Callable[[Document], Any] = documents.read_event
    judge: Callable[[Timeline, Event], Any] = Timeline.judge

    def read_or_die(row: Document) -> Any:
        # Before anything is written: MongoDB keeps the locks of a killed process for a while.
        if row["event_type"] == KILLS and is_on():
            os._exit(STATUS)
        return read_event(row)

    def judge_or_raise(timeline: Timeline, event: Event) -> Any:
        if event.event_type == RAISES and is_on():
            raise ValueError("no judgement")
        return judge(timeline, event)

    def fire_or_raise(due: Sequence[Candidate], *others: Any) -> Any:
        if any(each.change.lead_id.endswith(CURSED) for each in due) and is_on():
            raise ZeroDivisionError("no rule for this")
        return fire(due, *others)

    _patch(documents, "read_event", read_or_die)
    _patch(Timeline, "judge", judge_or_raise)
    _patch(evaluation, "fire", fire_or_raise)


def _patch(where: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(where, name, function)
