"""`python -m tests.e2e.poisoned scoring work`: a worker that some events and changes are poison to.

An event of the type `raises` cannot be judged, one of the type `kills` is the last thing that its worker sees, and at
changes of the lead `cursed` a rule raises.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from automation_service import __main__ as automation
from automation_service import usecases
from automation_service.domain.execution import Candidate
from automation_service.domain.execution import fire as original_fire
from automation_service.settings import AutomationSettings
from scoring_service import __main__ as scoring
from scoring_service.domain.timeline import Timeline
from scoring_service.settings import ScoringSettings
from scoring_service.store import documents
from shared import doorbell, logs, parking
from shared.mongo import Document
from shared.settings import load

_read_event: Callable[..., Any] = documents.read_event
_judge: Callable[..., Any] = Timeline.judge
_fire: Callable[..., Any] = original_fire


def read_event(row: Document) -> Any:
    """Reads an event, unless it is poison: before anything is written, lest MongoDB keeps locks of the dead."""
    if row["event_type"] == "kills":
        os._exit(9)
    return _read_event(row)


def judge(timeline: Timeline, event: Any) -> Any:
    """Judges an event, unless it is poison."""
    if event.event_type == "raises":
        raise ValueError("no judgement")
    return _judge(timeline, event)


def fire(due: Sequence[Candidate], *others: Mapping[Any, Any]) -> Any:
    """Lets rules fire, unless a change is poison."""
    if any(each.change.lead_id == "cursed" for each in due):
        raise ZeroDivisionError("no rule for this")
    return _fire(due, *others)


def main() -> None:
    """Runs the worker; what it leaves behind shall not hold the test up for long."""
    doorbell.LEASE_MILLISECONDS = 1000
    parking.CLAIM, parking.PAUSE = timedelta(seconds=1), timedelta(seconds=0.1)
    service = sys.argv[1]
    if service == "scoring":
        setattr(documents, "read_event", read_event)  # noqa: B010
        setattr(Timeline, "judge", judge)  # noqa: B010 (a method of a class that types hold fixed)
        settings = load(ScoringSettings)
        logs.configure(service, settings.log_level)
        scoring.work(settings)
    else:
        setattr(usecases, "fire", fire)  # noqa: B010
        rules = load(AutomationSettings)
        logs.configure(service, rules.log_level)
        automation.work(rules)


if __name__ == "__main__":
    main()
