"""One lead without a database: keeps its history and checkpoints in memory, and feeds its refolds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.entry import Entry, EntryKind, facts_of
from scoring_service.domain.history import HistoryBuilder
from scoring_service.domain.lead import Lead, LeadUpdate, Standing
from scoring_service.domain.lead_state import EMPTY, LeadState
from scoring_service.domain.model import Event
from scoring_service.domain.refold import Refold
from scoring_service.domain.timeline import Adjustment, Fact, JudgedEvent, Timeline
from tests.scoring.strategies import START

UTC_DAYS = Calendar(ZoneInfo("UTC"))


@dataclass
class LivingLead:
    """A lead with everything that is stored of it.

    Refolds are fed `piece_facts` facts at a time; `cut_short` counts refolds that ended early.
    """

    timeline: Callable[[], Timeline]
    lead: Lead = field(default_factory=lambda: Lead("lead"))
    entries: list[Entry] = field(default_factory=list)
    checkpoints: dict[int, LeadState] = field(default_factory=dict)
    updates: list[LeadUpdate] = field(default_factory=list)
    calendar: Calendar = UTC_DAYS
    piece_facts: int = 3
    cut_short: int = 0

    def record(self, facts: list[Fact], through: date | None) -> LeadUpdate:
        """Records facts and ticks."""
        return self.write(lambda builder, standing: builder.record(facts, standing), through)

    def write(self, steps: Callable[[HistoryBuilder, Standing], Iterator[Refold]], through: date | None) -> LeadUpdate:
        """Runs steps of a builder and stores the update."""
        timeline = self.timeline()
        builder = HistoryBuilder(timeline, self.calendar, self.lead, START)
        for refold in steps(builder, Standing(through, timeline.number)):
            self._feed(timeline, refold)
        update = builder.update()
        self.lead = update.after
        self.entries += update.entries
        kept = {number: state for number, state in self.checkpoints.items() if number <= update.checkpoints_from}
        self.checkpoints = kept | {state.fact_count: state for state in update.checkpoints}
        self.updates.append(update)
        return update

    def facts(self, timeline: Timeline) -> list[Fact]:
        """Returns the recorded facts, judged by a timeline."""
        return timeline.judge_all(facts_of(self.entries))

    def happened(self) -> tuple[list[Event], list[Adjustment]]:
        """Returns the events and adjustments that were not retracted."""
        recorded = facts_of(self.entries)
        return (
            [each for each in recorded if isinstance(each, Event)],
            [each for each in recorded if isinstance(each, Adjustment)],
        )

    def scored(self) -> list[Entry]:
        """Returns the entries of events that were not retracted."""
        kept = {each.event_id for each in self.happened()[0]}
        return [entry for entry in self.entries if entry.kind is EntryKind.EVENT and entry.event_id in kept]

    def _feed(self, timeline: Timeline, refold: Refold) -> None:
        start = refold.start or self._checkpoint(refold)
        refold.begin(start)
        if refold.needs_replay:
            if refold.old_state is not None:
                later = [state for number, state in sorted(self.checkpoints.items()) if number > start.fact_count]
                refold.compare(later)
            past = [fact for fact in self.facts(timeline) if start.last_fact is None or fact.position > start.last_fact]
            for start_index in range(0, len(past), self.piece_facts):
                refold.feed(past[start_index : start_index + self.piece_facts])
            self.cut_short += refold.is_finished
        refold.end()

    def _checkpoint(self, refold: Refold) -> LeadState:
        found = [
            state
            for state in self.checkpoints.values()
            if state.last_fact
            and state.last_fact < refold.before
            and (refold.max_facts is None or state.fact_count <= refold.max_facts)
        ]
        return max(found, key=lambda state: state.fact_count, default=EMPTY)


def judged_event(timeline: Timeline, entry: Entry) -> JudgedEvent:
    """Returns the event of an entry, judged by a timeline."""
    event = entry.fact
    assert isinstance(event, Event)
    return timeline.judge(event)
