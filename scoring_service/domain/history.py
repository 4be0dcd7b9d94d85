"""The history: what is appended when something reaches a lead.

Whatever changes a lead's past (another model, a decay reset, late events, ticks that had been deferred, a retraction)
is one refold each, and what it does to the score is one entry. What belongs at the end of the timeline is appended as
it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import takewhile

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.decay import Tick
from scoring_service.domain.entry import RETRACTION_PREFIX, EntryKind
from scoring_service.domain.entry_log import EntryLog, within
from scoring_service.domain.errors import HistoryInconsistent
from scoring_service.domain.lead import Decision, Lead, LeadUpdate, PathPoint, Standing
from scoring_service.domain.lead_state import LeadState
from scoring_service.domain.refold import Refold, is_checkpoint
from scoring_service.domain.replay import replay, settle
from scoring_service.domain.timeline import POSITION, Fact, JudgedEvent, Position, Timeline


class HistoryBuilder:
    """Follows a lead through what reaches it, and keeps the entries.

    `record`, `retract` and `catch_up` are generators of the refolds that they need, in turn. Whoever iterates begins,
    feeds and ends each one before asking for the next. The state afterwards is the fold of all facts and ticks,
    whatever was recorded when.

    Raises:
        HistoryInconsistent: The past that was fed is not the lead's.
    """

    def __init__(self, timeline: Timeline, calendar: Calendar, lead: Lead, record_time: datetime) -> None:
        self._timeline = timeline
        self._calendar = calendar
        self._lead = lead
        self._record_time = record_time
        self._state = lead.state
        self._publication = lead.publication
        self._log = EntryLog(timeline, lead, record_time)
        first_stage = timeline.model_after(lead.publication or timeline.number).stage_of(lead.state.score)
        self._path = [PathPoint(lead.state.score, first_stage)]
        self._checkpoints: list[LeadState] = []
        self._checkpoints_from = lead.state.fact_count
        self._pending_ticks: list[Tick] = []

    @property
    def state(self) -> LeadState:
        """The state so far."""
        return self._state

    def update(self) -> LeadUpdate:
        """Returns what is to be stored."""
        after = Lead(self._lead.lead_id, self._log.sequence, self._state, self._timeline.number)
        return LeadUpdate(self._lead, after, self._log.entries, self._path, self._checkpoints, self._checkpoints_from)

    def refolds_from(self, facts: Iterable[Fact], standing: Standing) -> Position | None:
        """Returns the position from which the lead's past must be folded anew to record facts; None for not at all.

        Every refold begins there or later, unless the first one leaves ticks to apply that were not due before.
        """
        state = self._state
        positions = [fact.position for fact in facts if state.is_ahead_of(fact, self._calendar)]
        changed_from = self._changed_from()
        if changed_from is not None:
            positions.append((changed_from, ""))
        if self._is_reset(standing):
            positions.append(state._replace(decayed_through=standing.through).first_deferred(self._calendar))
        elif state.applies_deferred_ticks(standing.through):
            positions.append(state.first_deferred(self._calendar))
        return min(positions, default=None)

    def catch_up(self, standing: Standing) -> Iterator[Refold]:
        """Brings the lead to where its partition stands, as far as that changes its past."""
        if self._lead.sequence and self._publication < self._timeline.number:
            yield from self._follow_publication()
        self._publication = self._timeline.number
        if self._is_reset(standing):
            refold = self._refold(
                self._state._replace(decayed_through=standing.through).first_deferred(self._calendar),
                through=standing.through,
                settle_through=standing.through,
            )
            yield refold
            self._adopt(refold)
            if refold.state.score != self._state.score:
                self._log.append(
                    EntryKind.DECAY_RESET,
                    refold.state.score,
                    event_time=self._record_time,
                    model=self._timeline.latest,
                    reason=standing.reset.reason,
                    actor=standing.reset.actor,
                )
            self._move(refold.state)

    def record(self, facts: Iterable[Fact], standing: Standing) -> Iterator[Refold]:
        """Appends facts, which may come in any order, and all ticks up to where the partition stands."""
        yield from self.catch_up(standing)
        in_order = sorted(facts, key=POSITION)
        late = list(takewhile(lambda fact: self._state.is_ahead_of(fact, self._calendar), in_order))
        if late:
            yield from self._late(late, standing.through)
        elif self._state.applies_deferred_ticks(standing.through):
            yield from self._deferred_ticks(standing.through)
        self._at_the_end(in_order[len(late) :], standing.through)

    def retract(self, event: JudgedEvent, decision: Decision, standing: Standing) -> Iterator[Refold]:
        """Appends what it does to the score that one of the recorded events never happened."""
        yield from self.record((), standing)
        refold = self._refold(
            event.position, through=standing.through, settle_through=standing.through, removed=event.position
        )
        refold.old_state = self._old_state()
        yield refold
        self._adopt(refold)
        self._log.append(
            EntryKind.RETRACTION,
            refold.state.score,
            event_id=f"{RETRACTION_PREFIX}{event.event.event_id}",
            event_time=event.event.event_time,
            model=event.model,
            event_type=event.event.event_type,
            rule_id=event.rule_id,
            reason=decision.reason,
            actor=decision.actor,
        )
        self._move(refold.state)

    def _changed_from(self) -> datetime | None:
        """Returns the time from which on a publication judges anew what is part of the state; None for nothing."""
        changed_from = self._timeline.changed_from(self._publication)
        if changed_from is None or not self._lead.sequence or not self._state.reaches(changed_from, self._calendar):
            return None
        return changed_from

    def _is_reset(self, standing: Standing) -> bool:
        decayed, through = self._state.decayed_through, standing.through
        return decayed is not None and through is not None and decayed > through

    def _follow_publication(self) -> Iterator[Refold]:
        """Folds the past by the models in force now; an entry is left if the score or its stage is another one then."""
        stage_before, state = self._path[-1].stage, self._state
        changed_from = self._changed_from()
        if changed_from is not None:
            decayed = state.decayed_through
            refold = self._refold((changed_from, ""), through=decayed, settle_through=decayed)
            yield refold
            self._adopt(refold)
            state = refold.state
        if (state.score, self._timeline.latest.stage_of(state.score)) != (self._state.score, stage_before):
            last = self._timeline.publications[-1]
            self._log.append(
                EntryKind.MODEL,
                state.score,
                event_time=last.publish_time,
                model=self._timeline.latest,
                stage_before=stage_before,
            )
        self._move(state)

    def _late(self, late: Sequence[Fact], through: date | None) -> Iterator[Refold]:
        """Merges late facts into the past.

        Each entry says what its fact does at its own place, as far as the score stays within floor and ceiling; what
        else changes by them is one RECALCULATION.
        """
        before = late[0].position
        if self._state.applies_deferred_ticks(through):
            before = min(before, self._state.first_deferred(self._calendar))
        refold = self._refold(before, through=through, settle_through=self._state.decayed_through, added=late)
        if not self._state.applies_deferred_ticks(through):
            refold.old_state = self._old_state()
        yield refold
        self._adopt(refold)
        for fact in late:
            score = within(fact.model, self._log.score, self._log.score + refold.deltas[fact.position[1]])
            self._log.append_fact(fact, score)
        if refold.state.score != self._log.score:
            self._log.append(
                EntryKind.RECALCULATION,
                refold.state.score,
                event_time=self._record_time,
                model=self._timeline.latest,
            )
        self._move(refold.state)

    def _deferred_ticks(self, through: date | None) -> Iterator[Refold]:
        """Applies ticks that lie before the last fact; the entry comes with the ticks that follow it, if there are."""
        decayed = self._state.decayed_through
        refold = self._refold(self._state.first_deferred(self._calendar), through=through, settle_through=decayed)
        yield refold
        self._adopt(refold)
        self._pending_ticks = [tick for tick in refold.ticks if decayed is None or tick.day > decayed]
        self._move(refold.state)

    def _at_the_end(self, facts: Sequence[Fact], through: date | None) -> None:
        """Appends facts and ticks that belong after all that is part of the state."""
        for moment in replay(self._timeline, self._calendar, facts, through, self._state):
            if moment.fact is None:
                self._take_ticks(moment.ticks, moment.state)
                continue
            self._append_decay()
            self._log.append_fact(moment.fact, moment.state.score)
            self._move(moment.state)
            if is_checkpoint(moment.state):
                self._checkpoints.append(moment.state.at_last_fact())
        settled = settle(self._timeline, self._calendar, self._state, through)
        self._take_ticks(settled.ticks, settled.state)
        self._append_decay()

    def _take_ticks(self, ticks: Sequence[Tick], state: LeadState) -> None:
        stage_of = self._timeline.latest.stage_of
        self._path += (PathPoint(tick.score, stage_of(tick.score)) for tick in ticks)
        self._pending_ticks += ticks
        self._move(state)

    def _append_decay(self) -> None:
        """Appends one entry for all ticks since the last entry, if they changed the score."""
        ticks, self._pending_ticks = self._pending_ticks, []
        if ticks and self._state.score != self._log.score:
            self._log.append(
                EntryKind.DECAY,
                self._state.score,
                event_time=self._calendar.midnight(ticks[-1].day),
                model=ticks[-1].model,
                first_tick=ticks[0].day,
                last_tick=ticks[-1].day,
                tick_count=len(ticks),
            )

    def _refold(
        self,
        before: Position,
        *,
        through: date | None,
        settle_through: date | None,
        added: Sequence[Fact] = (),
        removed: Position | None = None,
    ) -> Refold:
        refold = Refold(
            self._timeline,
            self._calendar,
            before=before,
            through=through,
            settle_through=settle_through,
            added=added,
            removed=removed,
        )
        state = self._state
        if state.last_fact is None or state.last_fact < before:
            refold.start, refold.needs_past = state.at_last_fact(), False
        else:
            refold.max_facts = self._checkpoints_from
            refold.start = next(
                (each for each in reversed(self._checkpoints) if each.last_fact and each.last_fact < before), None
            )
        return refold

    def _old_state(self) -> LeadState | None:
        """Returns the state that the stored checkpoints lead to; None when they have been replaced meanwhile."""
        is_as_stored = not self._checkpoints and self._checkpoints_from == self._lead.state.fact_count
        return self._state if is_as_stored else None

    def _adopt(self, refold: Refold) -> None:
        """Replaces the checkpoints after the start of a refold by those that it made.

        Raises:
            HistoryInconsistent: The past that was fed has more or fewer facts than the lead counts.
        """
        counted, found = self._state.fact_count + refold.facts_added, refold.state.fact_count
        if found != counted:
            raise HistoryInconsistent(self._lead.lead_id, f"it counts {counted} facts, {found} are recorded")
        kept = [each for each in self._checkpoints if each.fact_count <= refold.start_facts]
        self._checkpoints = kept + refold.checkpoints
        self._checkpoints_from = min(self._checkpoints_from, refold.start_facts)

    def _move(self, state: LeadState) -> None:
        point = PathPoint(state.score, self._timeline.latest.stage_of(state.score))
        if point != self._path[-1]:
            self._path.append(point)
        self._state = state
