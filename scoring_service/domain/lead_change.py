"""What one update did to a lead: everything about it that an automation trigger may depend on."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, TypeVar

from scoring_service.domain.entry import EntryKind
from scoring_service.domain.lead import LeadUpdate

T = TypeVar("T")


class LeadChange(NamedTuple):
    """The change of a lead in one update.

    `scores` and `stages` list every score and stage that the lead went through, from the one before the update to the
    one after it, so that triggers do not depend on how events were batched. `event_types` and the entry `kinds` are
    sorted. `inactive_days` counts the whole days from the last event to the record time; 0 if there was no event.
    """

    scores: tuple[int, ...]
    stages: tuple[str, ...]
    event_types: tuple[str, ...]
    kinds: tuple[str, ...]
    inactive_days: int


def change_of(update: LeadUpdate, record_time: datetime) -> LeadChange:
    """Returns what an update that is recorded at `record_time` changes."""
    last_event_time = update.after.state.last_event_time
    return LeadChange(
        scores=without_repeats([point.score for point in update.path]),
        stages=without_repeats([point.stage for point in update.path]),
        event_types=tuple(sorted({entry.event_type for entry in update.entries if entry.kind is EntryKind.EVENT})),
        kinds=tuple(sorted({entry.kind.value for entry in update.entries})),
        inactive_days=max(0, (record_time - last_event_time).days) if last_event_time else 0,
    )


def without_repeats(values: Iterable[T]) -> tuple[T, ...]:
    """Returns values without consecutive duplicates."""
    # A loop, because groupby takes twice as long for the two or three values of most changes.
    found: list[T] = []
    for value in values:
        if not found or value != found[-1]:
            found.append(value)
    return tuple(found)
