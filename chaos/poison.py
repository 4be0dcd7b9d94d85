"""Poison: some events and changes that a worker cannot get over, while a file is there.

An event of the type `raises` cannot be judged, one of the type `kills` is the last thing that its worker sees, and at
changes of a lead whose id ends in `cursed` a rule raises. Only services that are started armed know of it.
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
"""The exit status of a worker that a row has killed."""
RAISES, KILLS, CURSED = "raises", "kills", "cursed"


def arm(environment: Mapping[str, str]) -> None:
    """Lets this process be open to poison while the file exists that the environment names, if it names one."""
    if FILE not in environment:
        return
    is_on = Path(environment[FILE]).exists
    read_event: Callable[[Document], Any] = documents.read_event
    judge: Callable[[Timeline, Event], Any] = Timeline.judge

    def read_or_die(row: Document) -> Any:
        # Before anything is written: MongoDB keeps the locks of the dead for a while.
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
