"""How steps and ticks become history, whatever the occasion: load what is needed, record, and say what to commit."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from scoring_service.domain.fold import Calendar
from scoring_service.domain.history import Entry, Lead, Recorded, Recorder, needs_past, steps_of
from scoring_service.domain.timeline import Step, Timeline
from scoring_service.ports import Commit

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Due:
    """A lead, the date through which ticks are to be recorded for it, and the steps that are."""

    lead: Lead
    through: date | None
    steps: Sequence[Step] = ()


class Past(Protocol):
    """Knows what happened to leads."""

    async def entries(self, lead_ids: Sequence[str]) -> Mapping[str, Sequence[Entry]]:
        """Returns the entries of leads that say what happened, in no particular order."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Records what is due by one timeline."""

    past: Past
    timeline: Timeline
    calendar: Calendar
    now: datetime

    async def of(self, due: Iterable[Due]) -> list[Recorded]:
        """Returns what is to be appended for each lead."""
        due = list(due)
        needy = [
            each.lead.lead_id
            for each in due
            if needs_past(self.timeline, self.calendar, each.lead, each.steps, each.through)
        ]
        found = await self.past.entries(needy)
        recorded: list[Recorded] = []
        for each in due:
            recorded.append(self._record(each, found.get(each.lead.lead_id, ())))
            # Folding a page can take seconds, and others in this process shall have their turn meanwhile.
            await asyncio.sleep(0)
        return recorded

    async def begin(self, lead: Lead) -> Recorder:
        """Returns a recorder of a lead whose whole past is needed."""
        return self._recorder(lead, (await self.past.entries([lead.lead_id])).get(lead.lead_id, ()))

    def commit(self, recorded: Sequence[Recorded]) -> Commit:
        """Returns what to commit."""
        return Commit(recorded, self.now, self.calendar.date_of(self.now).isoformat())

    def _record(self, due: Due, entries: Sequence[Entry]) -> Recorded:
        recorder = self._recorder(due.lead, entries)
        recorder.steps(due.steps, due.through)
        return recorder.recorded()

    def _recorder(self, lead: Lead, entries: Sequence[Entry]) -> Recorder:
        return Recorder(self.timeline, self.calendar, lead, steps_of(self.timeline, entries), self.now)
